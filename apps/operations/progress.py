"""A bar for what takes long, where somebody looks at it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Advance = Callable[[int], None]
"""Is told how many more are done."""

REDRAWN = 200
"""How often a bar is drawn anew at most, from its beginning to its end."""


@contextmanager
def progress_bar(label: str, total: int, *, verbosity: int = 1) -> Iterator[Advance]:
    """Show how much of ``total`` is done, how fast it goes and how long it will take: on standard error, where that is
    a terminal and ``verbosity`` is not 0.
    """
    started = time.monotonic()

    def describe_rate(_: int | None) -> str:
        return f"{bar.pos / max(time.monotonic() - started, 0.001):,.0f}/s"

    bar = click.progressbar(
        range(total),
        label=label,
        hidden=not (total and verbosity and sys.stderr.isatty()),
        show_pos=True,
        item_show_func=describe_rate,
        update_min_steps=max(1, total // REDRAWN),
        file=sys.stderr,
    )
    with bar:
        yield bar.update
