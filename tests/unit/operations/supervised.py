"""A program for the tests of supervision: runs the parts given as JSON, started at once.

``python supervised.py FOLDER '[{"name": …, "command": […], "stop_rank": …}, …]'``
"""

import json
import sys
from pathlib import Path

from apps.operations.console import Console
from apps.operations.supervision import Part, PartsSupervisor


class StartAll:
    """Starts every part once, and says what ends."""

    def __init__(self, names: list[str], console: Console) -> None:
        self._names = names
        self._console = console

    def advance(self, parts: PartsSupervisor) -> None:
        while self._names:
            parts.start(self._names.pop(0))

    def part_ended(self, parts: PartsSupervisor, name: str) -> None:
        self._console.say(f"{name} ended, last words: {self._console.last_line(name)}")


def main(folder: str, description: str) -> None:
    parts = [Part(**({"stop_rank": 1, "stop_seconds": 2} | fields)) for fields in json.loads(description)]
    console = Console(sys.stdout)
    director = StartAll([part.name for part in parts], console)
    PartsSupervisor(parts, folder=Path(folder), console=console, director=director).run_until_stopped()
    console.say("all stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
