"""The role of a process, by its command line."""

import pytest

from apps.observability.process import find_role


@pytest.mark.parametrize(
    ("command_line", "role"),
    [
        (["manage.py", "gateway", "--port", "8000"], "gateway"),
        (["/srv/chat/manage.py", "relay"], "relay"),
        (["manage.py", "adduser", "worker"], "adduser"),
        (["/srv/.venv/bin/celery", "-A", "chatsite", "worker", "-c", "2"], "worker"),
        (["/srv/celery/__main__.py", "--quiet", "-A", "chatsite", "beat"], "beat"),
        (["/usr/bin/daphne", "chatsite.asgi:application"], "gateway"),
        (["uvicorn", "chatsite.asgi:application"], "gateway"),
        (["manage.py"], "manage"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_a_command_line_says_what_the_process_is(command_line: list[str], role: str) -> None:
    assert find_role(command_line) == role
