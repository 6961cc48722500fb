"""A copy of the data folder of a site, while it runs or not, that another folder can start from.

Order makes it whole: the log first, then the messages, then the users. So everything that was accepted before the
backup began is in it, stored or still on the log, and what the databases have beyond the log is not in its way. A
message's people are always there too.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections

from apps.messagelog.generation import RESTORED
from apps.messagelog.models import LogGeneration
from apps.messagestore.router import ALIAS as MESSAGES
from apps.messagestore.router import USERS
from apps.operations.embedded_valkey import EmbeddedValkey, list_embedded_valkeys
from apps.valkey.pools import ValkeyError, sync_client

DATABASES = (MESSAGES, USERS)
DISTRUST_LOG = f"UPDATE {LogGeneration._meta.db_table} SET identity = ?"  # noqa: S608 (a name of ours)
KEY_FILE = "secret-key"
REWRITE_LOOK_SECONDS = 0.05
REWRITE_PATIENCE_SECONDS = 300


class CannotBackUp(Exception):
    """The backup cannot be made; the text is one line for the person who asked."""


def back_up(target: Path, say: Callable[[str], object]) -> list[str]:
    """Copy what this site keeps in its data folder to `target`, a folder that must not exist or be empty.

    `say` gets a line for each part. Returns the parts that lie on servers elsewhere and are not in the copy. Raises
    CannotBackUp; what is left then is a folder with the ending ``.partial``.
    """
    draft = _make_draft(target)
    try:
        elsewhere = [*_copy_log(draft, say), *_copy_databases(draft, say)]
        _copy_secret_key(draft)
        draft.rename(target)
    except OSError as error:
        raise CannotBackUp(f"{error.filename or draft} cannot be written ({error.strerror})") from None
    return elsewhere


def _make_draft(target: Path) -> Path:
    draft = target.with_name(f"{target.name}.partial")
    try:
        if target.exists():
            target.rmdir()  # an empty one
        draft.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise CannotBackUp(f"{error.filename} is in the way ({(error.strerror or '').lower()})") from None
    return draft


def _copy_log(draft: Path, say: Callable[[str], object]) -> list[str]:
    server = next((server for server in list_embedded_valkeys() if server.name == "log"), None)
    if server is None:
        return ["the event log (EVENT_LOG_URL)"]
    with _no_rewrite(server):
        copy = draft / server.folder.relative_to(settings.CHAT_DATA_DIR)
        if server.folder.exists():
            shutil.copytree(server.folder, copy)
    say("event log")
    return []


@contextmanager
def _no_rewrite(server: EmbeddedValkey) -> Iterator[None]:
    """Keep a running server from exchanging its files: it only appends, and a last entry cut off is no harm."""
    if not server.answers():  # the site is not running
        yield
        return
    client = sync_client(f"unix://{server.socket_path}")
    setting = "auto-aof-rewrite-percentage"
    try:
        former = client.config_get(setting)[setting]
        client.config_set(setting, "0")
        try:
            deadline = time.monotonic() + REWRITE_PATIENCE_SECONDS
            while client.info("persistence")["aof_rewrite_in_progress"]:
                if time.monotonic() > deadline:
                    raise CannotBackUp("the log has been rewriting its file for minutes; try again later")
                time.sleep(REWRITE_LOOK_SECONDS)
            yield
        finally:
            client.config_set(setting, former)
    except ValkeyError as error:
        raise CannotBackUp(f"the event log does not answer ({error})") from None


def _copy_databases(draft: Path, say: Callable[[str], object]) -> list[str]:
    elsewhere = []
    for alias in DATABASES:
        if alias not in settings.DATABASES:
            elsewhere.append("the Message DB (MESSAGE_STORE_URL)")
        elif connections[alias].vendor != "sqlite":
            elsewhere.append(f"the database {alias!r} (DATABASE_URL)")
        else:
            _copy_sqlite(alias, draft)
            say(f"database {alias!r}")
    return elsewhere


def _copy_sqlite(alias: str, draft: Path) -> None:
    """Copy one state of the database, in one step: others go on reading and writing meanwhile."""
    connection = connections[alias]
    connection.ensure_connection()
    copy = draft / Path(connection.settings_dict["NAME"]).name
    with closing(sqlite3.connect(copy)) as target:
        connection.connection.backup(target)
        if alias == USERS:
            # The copy can start as it is: its first start begins a new generation of the log.
            target.execute(DISTRUST_LOG, [RESTORED])
            target.commit()
    os.chmod(copy, 0o600)


def _copy_secret_key(draft: Path) -> None:
    """The key made at the first start; one that the environment gives is the environment's to keep."""
    path = settings.CHAT_DATA_DIR / KEY_FILE
    if path.exists():
        shutil.copy2(path, draft / KEY_FILE)
