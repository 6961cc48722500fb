"""``backup`` and ``mark_restored``; that a copy works as a site is shown by tests/flows/test_restore_drill.py."""

import io
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections

from apps.accounts.models import User
from apps.messagelog.generation import set_up_log
from apps.messagelog.models import LogGeneration
from apps.operations.embedded_valkey import list_embedded_valkeys
from apps.valkey.pools import sync_client

pytestmark = [
    pytest.mark.django_db(databases=["default", "messages"], transaction=True),
    pytest.mark.usefixtures("log_valkey"),
]


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def query(database: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def name_of(alias: str) -> str:
    return Path(connections[alias].settings_dict["NAME"]).name


@pytest.fixture
def key_file() -> Iterator[Path]:
    path = settings.CHAT_DATA_DIR / "secret-key"
    path.write_text("made at the first start")
    yield path
    path.unlink()


def test_the_copy_has_databases_log_and_key_for_its_owner_only(tmp_path: Path, key_file: Path) -> None:
    set_up_log()
    User.objects.create_user("ada", "correct horse battery")
    copy = tmp_path / "copy"
    assert run("backup", copy) == f"{copy} is complete\n"
    assert query(copy / name_of("default"), "SELECT username FROM accounts_user") == [("ada",)]
    assert query(copy / name_of("messages"), "SELECT count(*) FROM message") == [(0,)]
    assert list((copy / "valkey" / "log").rglob("*.manifest"))
    assert not (copy / "valkey" / "cache").exists()
    assert (copy / "secret-key").read_text() == key_file.read_text()
    for path in (copy, copy / name_of("default"), copy / name_of("messages")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_the_copy_begins_a_new_generation_and_the_site_does_not(tmp_path: Path) -> None:
    generation = set_up_log()
    run("backup", tmp_path / "copy")
    found = query(tmp_path / "copy" / name_of("default"), "SELECT generation, identity FROM log_generation")
    assert found == [(generation, "restored")]
    assert set_up_log() == generation


def test_a_site_that_was_marked_as_restored_begins_a_new_generation_once() -> None:
    generation = set_up_log()
    run("mark_restored")
    assert set_up_log() == generation + 1
    assert set_up_log() == generation + 1
    assert LogGeneration.objects.count() == 1


def test_the_log_rewrites_its_file_again_after_a_backup(tmp_path: Path) -> None:
    [log] = (server for server in list_embedded_valkeys() if server.name == "log")
    client = sync_client(f"unix://{log.socket_path}")
    client.config_set("auto-aof-rewrite-percentage", "77")
    try:
        run("backup", tmp_path / "copy")
        assert client.config_get("auto-aof-rewrite-percentage")["auto-aof-rewrite-percentage"] == "77"
    finally:
        client.config_set("auto-aof-rewrite-percentage", "100")


@pytest.mark.parametrize("kind", ["file", "full folder"])
def test_nothing_is_written_over(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "copy"
    if kind == "file":
        target.write_text("precious")
    else:
        target.mkdir()
        (target / "precious").touch()
    with pytest.raises(CommandError, match="copy is in the way"):
        run("backup", target)
    assert target.is_file() or list(target.iterdir()) == [target / "precious"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    run("backup", tmp_path / "copy")
    assert (tmp_path / "copy" / name_of("default")).exists()


def test_what_lies_on_servers_elsewhere_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENT_LOG_URL", "kafka://127.0.0.1:9092")
    monkeypatch.delitem(settings.DATABASES, "messages")
    said = run("backup", tmp_path / "copy")
    assert "elsewhere: the event log (EVENT_LOG_URL)" in said
    assert "elsewhere: the Message DB (MESSAGE_STORE_URL)" in said
