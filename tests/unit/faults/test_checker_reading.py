"""A run can be judged from its files alone, and what cannot be read is named by file, line and field."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.client.history import Attempt, History, SentMessage
from tests.faults.checker import Block, check
from tests.faults.checker.__main__ import main
from tests.faults.checker.fields import Unreadable
from tests.faults.checker.reading import read_end_state, read_records
from tests.faults.records import write_histories

BLOCK = Block(owner_id="usr-b", person_id="usr-a", asked_at=8.0, since=8.5).ends(9.0, 9.5)


def make_histories() -> list[History]:
    ann, bob = History("usr-a", "dev-a"), History("usr-b", "dev-b")
    bob.logged_in_at = 1.0
    for client_id, number in ((1, 1), ("1", 2)):
        message = SentMessage(
            client_id=client_id, receiver_id="usr-b", content=f"word {number}", submitted_at=10.0 * number
        )
        message.attempts.append(Attempt(at=10.0 * number, connection=1))
        ann.sent[client_id] = message
        ids = {"message_id": f"msg-{number}", "timestamp": number, "sequence": number}
        own = {"message_id_by_client": client_id}
        ann.record({"action": "message_received"} | own | ids, at=10.0 * number + 1, connection=1)
        arrival = {"action": "incoming_message", "sender_id": "usr-a", "content": f"word {number}"} | ids
        bob.record(arrival, at=10.0 * number + 2, connection=1)
        ann.record({"action": "message_delivered"} | own | ids, at=10.0 * number + 3, connection=1)
    return [ann, bob]


def write_run(folder: Path, histories: list[History], blocks: tuple[Block, ...] = ()) -> str:
    path = folder / "histories.jsonl"
    write_histories(path, histories, blocks)
    return str(path)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    histories = make_histories()
    write_run(tmp_path, histories, (BLOCK,))
    found = read_records([tmp_path / "histories.jsonl"])
    assert list(found.blocks) == [BLOCK]
    for before, after in zip(histories, found.histories, strict=True):
        before.frames = []  # they are not written
        assert vars(before) == vars(after)


def test_a_run_may_lie_in_several_files(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path, history in zip(paths, make_histories(), strict=True):
        write_histories(path, [history])
    assert check(read_records(paths).histories).is_clean
    with pytest.raises(Unreadable, match=r"a\.jsonl:1: device_id: expected a device that no other line has"):
        read_records([*paths, paths[0]])


def drop_the_times(line: dict[str, Any]) -> None:
    del line["sent"][1]["submitted_at"]


def say_a_time_in_words(line: dict[str, Any]) -> None:
    line["sent"][1]["attempts"][0]["at"] = "noon"


def send_a_list(line: dict[str, Any]) -> None:
    line["sent"][0] = []


def name_no_device(line: dict[str, Any]) -> None:
    line["device_id"] = None


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (drop_the_times, r"sent\[1\]\.submitted_at: expected it to be there"),
        (say_a_time_in_words, r"sent\[1\]\.attempts\[0\]\.at: expected a number, got 'noon'"),
        (send_a_list, r"sent\[0\]: expected an object, got \[\]"),
        (name_no_device, r"device_id: expected a string, got None"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, spoil: Callable[[dict[str, Any]], None], place: str) -> None:
    path = Path(write_run(tmp_path, list(reversed(make_histories()))))
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    spoil(lines[1])
    path.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    with pytest.raises(Unreadable, match=rf"histories\.jsonl:2: {place}"):
        read_records([path])


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"rows": []}, "now_ms: expected it to be there"),
        ({"rows": [{"message_id": 7}], "now_ms": 1}, r"rows\[0\]\.message_id: expected a string, got 7"),
        ({"inboxes": {"inbox:{usr-a}:dev-a": "2"}}, "expected an integer, got '2'"),
        ({"dead_letters": None}, "dead_letters: expected an integer, got None"),
    ],
)
def test_an_end_state_that_does_not_fit_is_named(tmp_path: Path, document: dict[str, Any], place: str) -> None:
    path = tmp_path / "end_state.json"
    path.write_bytes(orjson.dumps(document))
    with pytest.raises(Unreadable, match=rf"end_state\.json: .*{place}"):
        read_end_state(path)


def test_the_command_says_that_every_promise_held(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "end_state.json").write_bytes(orjson.dumps({"inboxes": {"inbox:{usr-b}:dev-b": 0}}))
    run = write_run(tmp_path, make_histories())
    report = tmp_path / "report.txt"
    assert main([run, "--end-state", str(tmp_path / "end_state.json"), "--report", str(report)]) == 0
    assert "every promise held" in capsys.readouterr().out
    assert "every promise held" in report.read_text()
    assert orjson.loads((tmp_path / "report.json").read_bytes())["clean"] is True


def test_the_command_says_what_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    histories = make_histories()
    del histories[1].shown["msg-1"]
    out = tmp_path / "found.json"
    assert main([write_run(tmp_path, histories), "--json", str(out)]) == 1
    assert "BROKEN" in capsys.readouterr().out
    assert {finding["kind"] for finding in orjson.loads(out.read_bytes())["findings"]} == {"lost", "false ✓✓"}


def test_the_end_state_counts(tmp_path: Path) -> None:
    (tmp_path / "end_state.json").write_bytes(orjson.dumps({"inboxes": {"inbox:{usr-b}:dev-b": 2}}))
    run = write_run(tmp_path, make_histories())
    assert main([run]) == 0
    assert main([run, "--end-state", str(tmp_path / "end_state.json")]) == 1


def test_blocks_count(tmp_path: Path) -> None:
    under_it = Block(owner_id="usr-b", person_id="usr-a", asked_at=9.0, since=9.5)
    assert main([write_run(tmp_path, make_histories(), (under_it,))]) == 1


@pytest.mark.parametrize("text", ["", "{", "[]\n"])
def test_what_is_no_history_is_unreadable(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "histories.jsonl"
    path.write_text(text)
    assert main([str(path)]) == 2
    assert "histories.jsonl" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err


def test_a_run_that_cannot_be_judged_is_unreadable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    histories = make_histories()
    histories[0].sent["1"].content = "word 1"
    assert main([write_run(tmp_path, histories)]) == 2
    assert "sent twice" in capsys.readouterr().err
