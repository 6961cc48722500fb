"""Tests that only a run on PostgreSQL can make: one with TEST_DATABASE_URL=postgresql://….

An ordinary run has SQLite below it and collects none of them; ``tests/production/test_postgresql.py`` starts one that
has PostgreSQL.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

collect_ignore_glob = [] if os.environ.get("TEST_DATABASE_URL") else ["test_*.py"]


@pytest.fixture
def at_once() -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    """Call functions at the same moment, each in a thread with connections of its own; gives what they returned."""
    import threading

    from django.db import connections

    def run(functions: Sequence[Callable[[], Any]]) -> list[Any]:
        barrier = threading.Barrier(len(functions))

        def call(function: Callable[[], Any]) -> Any:
            try:
                barrier.wait()
                return function()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(functions)) as threads:
            return [future.result() for future in [threads.submit(call, function) for function in functions]]

    return run
