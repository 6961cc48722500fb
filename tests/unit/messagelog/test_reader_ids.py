"""The names under which processes read the log."""

import socket

from apps.messagelog.log import new_reader_id


def test_no_two_readers_of_a_host_have_the_same_name() -> None:
    names = {new_reader_id() for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith(f"{socket.gethostname()}-") for name in names), "operators see where it runs"
