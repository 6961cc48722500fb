"""The command line of a run."""

import pytest

from tests.faults.options import parse_options


def test_the_command_that_repeats_a_run_gives_the_same_options() -> None:
    options = parse_options(["--profile", "production", "--minutes", "2.5", "--only", "kill,pause", "--rounds", "2"])
    words = options.again().split()
    assert words[:3] == ["python", "-m", "tests.faults.run"]
    assert parse_options(words[3:]) == options


def test_a_deployment_needs_its_accounts() -> None:
    options = parse_options(["--url", "https://chat.example/", "--accounts", "accounts.jsonl", "--seed", "5"])
    assert options.url == "https://chat.example"
    assert parse_options(options.again().split()[3:]) == options


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "https://chat.example"], "--url and --accounts go together"),
        (["--url", "https://chat.example", "--accounts", "x", "--only", "kill"], "--only is for a site of its own"),
        (["--minutes", "0"], "0 is not above 0"),
        (["--users", "1"], "1 people cannot write"),
    ],
)
def test_what_does_not_fit_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
