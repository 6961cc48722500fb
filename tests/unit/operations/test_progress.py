"""The bar of long commands: for people at a terminal, and in nobody's way."""

import io

import pytest

from apps.operations.progress import progress_bar


class Screen(io.StringIO):
    """A standard error that somebody looks at, or not."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def count_to_ten(monkeypatch: pytest.MonkeyPatch, *, terminal: bool = True, total: int = 10, verbosity: int = 1) -> str:
    screen = Screen(terminal=terminal)
    monkeypatch.setattr("sys.stderr", screen)
    with progress_bar("counting", total, verbosity=verbosity) as advance:
        for _ in range(10):
            advance(1)
    return screen.getvalue()


def test_a_terminal_shows_how_much_is_done_and_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = count_to_ten(monkeypatch)
    assert "counting" in shown
    assert "0/10" in shown
    assert "10/10" in shown
    assert "/s" in shown
    assert shown.endswith("\n")


def test_a_bar_that_ends_later_than_expected_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "10/4" in count_to_ten(monkeypatch, total=4)


@pytest.mark.parametrize("options", [{"terminal": False}, {"verbosity": 0}, {"total": 0}])
def test_otherwise_nothing_is_written(monkeypatch: pytest.MonkeyPatch, options: dict[str, int]) -> None:
    assert count_to_ten(monkeypatch, **options) == ""
