"""What the commands for operators have in common: no traceback, and no deed that nobody agreed to."""

import io
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands
from django.db import DataError, OperationalError

from apps.operations.operator_command import OperatorCommand

PROCESSES = {"gateway", "relay", "spam", "up"}
OF_USERS = [
    "inbox show ada",
    "disconnect ada",
    "suspend ada",
    "export_user ada",
    "delete_user ada --yes",
    "inbox rebuild",
]


def manage(folder: Path, arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command on a data folder of its own, in which there is nothing yet."""
    environment = os.environ | {"CHAT_DATA_DIR": str(folder), "DATABASE_URL": ""} | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "manage.py", *arguments.split()],
        **{"env": environment, "capture_output": True, "text": True, "check": False, "timeout": 60} | options,
    )


def test_every_command_but_processes_is_one() -> None:
    ours = {name for name, app in get_commands().items() if app == "apps.operations"}
    assert PROCESSES | {"doctor"} <= ours
    for name in ours - PROCESSES - {"doctor"}:
        command = import_module(f"apps.operations.management.commands.{name}").Command
        assert issubclass(command, OperatorCommand), name


def test_before_migrate_it_says_to_migrate(tmp_path: Path) -> None:
    done = manage(tmp_path, "inbox show ada")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: the users' database lacks tables (no such table: accounts_user)")
    assert "run `manage.py migrate`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_before_migrate_the_message_db_has_its_own_line(tmp_path: Path) -> None:
    done = manage(tmp_path, "purge_expired --dry-run")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: the Message DB lacks tables (no such table: message)")
    assert "run `manage.py migrate --database messages`" in done.stderr


def test_servers_that_are_away_are_named(tmp_path: Path) -> None:
    for arguments, expected in (("connections", "the cache does not"), ("log_status", "the event log does not")):
        done = manage(tmp_path, arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(f"CommandError: {expected} answer (")
        assert done.stderr.count("\n") == 1


def test_of_a_database_that_is_away_it_says_that_and_which(tmp_path: Path) -> None:
    done = manage(tmp_path, "disconnect ada", env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})
    assert done.returncode == 1
    assert "the users' database does not answer" in done.stderr
    assert "look at DATABASE_URL" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", OF_USERS)
def test_no_command_on_users_lets_a_database_error_through(monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("disk I/O error\nand more")

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", fail)
    with pytest.raises(CommandError, match=r"the users' database .* \(disk I/O error\)"):
        call_command(*arguments.split(), stderr=io.StringIO())


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise DataError("value too long")

    monkeypatch.setattr("apps.operations.management.commands.suspend.find_named_user", fail)
    with pytest.raises(DataError):
        call_command("suspend", "ada")


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("apps.operations.management.commands.suspend.find_named_user", interrupt)
    with pytest.raises(CommandError, match="interrupted") as caught:
        call_command("suspend", "ada")
    assert caught.value.returncode == 130


@pytest.mark.parametrize("closed", [True, False])
def test_where_nobody_can_answer_nothing_is_deleted(tmp_path: Path, closed: bool) -> None:
    for database in ("default", "messages"):
        manage(tmp_path, f"migrate --verbosity 0 --database {database}").check_returncode()
    manage(tmp_path, "adduser ada --password-stdin", input="correct horse battery\n").check_returncode()
    if closed:
        command = ["/bin/sh", "-c", f"exec '{sys.executable}' manage.py delete_user ada <&-"]
        done = subprocess.run(
            command,
            env=os.environ | {"CHAT_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    else:
        done = manage(tmp_path, "delete_user ada", stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert done.stderr == "CommandError: nothing was deleted: nobody answers here, give --yes\n"
