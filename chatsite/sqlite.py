"""Chooses the SQLite library before Django loads one."""

import sqlite3
import sys

# Versions 3.7.0 to 3.51.2 can corrupt a database when a WAL reset races a
# checkpoint: https://sqlite.org/wal.html, section "The WAL-reset bug".
SAFE_VERSION = (3, 51, 3)


def use_safe_sqlite() -> bool:
    """Put pysqlite3 in the place of ``sqlite3`` where the linked library has the WAL-reset bug.

    Returns whether the library in use is safe afterwards; ``chatsite.W001`` warns where it is not.
    """
    if sqlite3.sqlite_version_info >= SAFE_VERSION:
        return True
    try:
        import pysqlite3
    except ImportError:
        return False
    if pysqlite3.sqlite_version_info < SAFE_VERSION:
        return False
    sys.modules["sqlite3"] = pysqlite3
    sys.modules["sqlite3.dbapi2"] = sys.modules["pysqlite3.dbapi2"]
    return True
