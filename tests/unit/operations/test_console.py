"""Lines of many processes on one terminal."""

import io

import pytest

from apps.operations.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_each_line_carries_the_name_of_its_process() -> None:
    out = io.StringIO()
    Console(out).pass_on("relay", b"one\ntwo\n")
    assert out.getvalue() == "relay     │ one\nrelay     │ two\n"


def test_a_line_in_two_pieces_is_printed_once_and_whole() -> None:
    out = io.StringIO()
    console = Console(out)
    console.pass_on("relay", "gr\u00fc".encode()[:3])
    console.pass_on("worker", b"between\n")
    console.pass_on("relay", "gr\u00fc".encode()[3:] + b"n\n")
    assert out.getvalue() == "worker    │ between\nrelay     │ gr\u00fcn\n"


def test_the_unfinished_line_of_a_dead_process_is_not_lost() -> None:
    out = io.StringIO()
    console = Console(out)
    console.pass_on("relay", b"killed in mid-sen")
    console.finish("relay")
    assert out.getvalue() == "relay     │ killed in mid-sen\n"
    assert console.last_line("relay") == "killed in mid-sen"


def test_the_last_line_is_the_last_one_with_text() -> None:
    console = Console(io.StringIO())
    assert console.last_line("relay") == ""
    console.pass_on("relay", b"reason\n\n  \n")
    assert console.last_line("relay") == "reason"


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        Console(out).say("ready")
    assert "\033[" in terminal.getvalue()
    assert "\033[" not in file.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    Console(plain).say("ready")
    assert "\033[" not in plain.getvalue()
