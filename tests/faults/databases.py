"""Whether the databases of a site that was broken on purpose are whole."""

import sqlite3
from pathlib import Path


def find_broken_databases(data_dir: Path) -> list[str]:
    """The SQLite files of the folder whose integrity check fails, with what it says."""
    broken = []
    for path in sorted(data_dir.glob("*.sqlite3")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            [verdict] = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            broken.append(f"{path.name}: {verdict}")
    return broken
