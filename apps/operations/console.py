"""Lines of many processes on one terminal, each with the name of who said it."""

import os
from collections import deque
from typing import TextIO

NAME_WIDTH = 9
# ANSI foreground colours that are readable on dark and on light ground.
COLOURS = (36, 33, 35, 32, 34, 31)
LINES_REMEMBERED = 20
# Said by Valkey at each start on most machines; of no use to somebody who tries out a chat site.
MUTED = b"Memory overcommit must be enabled"


class Console:
    """Prefixes each line with the name of its process; coloured on a terminal (not with NO_COLOR)."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._coloured = self._out.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, int] = {}
        self._unfinished: dict[str, bytes] = {}
        self._last_lines: dict[str, deque[str]] = {}

    def say(self, text: str) -> None:
        """Print a line of the supervisor itself."""
        self._print("up", text, bold=True)

    def pass_on(self, name: str, output: bytes) -> None:
        """Print what the process `name` wrote, line by line; an unfinished line waits for its end."""
        *lines, rest = (self._unfinished.get(name, b"") + output).split(b"\n")
        self._unfinished[name] = rest
        for line in lines:
            if MUTED not in line:
                self._pass_on_line(name, line)

    def finish(self, name: str) -> None:
        """Print the unfinished line of a process that has ended."""
        rest = self._unfinished.pop(name, b"")
        if rest:
            self._pass_on_line(name, rest)

    def last_line(self, name: str) -> str:
        """Return the last line with text that the process `name` wrote; empty where there is none."""
        return next((line for line in reversed(self._last_lines.get(name, ())) if line.strip()), "").strip()

    def _pass_on_line(self, name: str, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        self._last_lines.setdefault(name, deque(maxlen=LINES_REMEMBERED)).append(text)
        self._print(name, text, bold=False)

    def _print(self, name: str, text: str, bold: bool) -> None:
        prefix = f"{name:<{NAME_WIDTH}} │ "
        if self._coloured:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = f"\033[{'1;' if bold else ''}{colour}m{prefix}\033[0m"
        print(prefix + text, file=self._out, flush=True)
