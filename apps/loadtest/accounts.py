"""Who writes and reads in a load test."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAccount:
    """A user and the secret of a device."""

    user_id: str
    token: str


class MalformedUsers(ValueError):
    """A file is not what ``addusers`` writes; says which line."""


def read_users(file: Path) -> list[LoadAccount]:
    """The accounts in a file of JSON lines. Raises OSError and MalformedUsers."""
    accounts = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        try:
            row = json.loads(line)
            accounts.append(LoadAccount(user_id=row["user_id"], token=row["token"]))
        except (ValueError, KeyError, TypeError):
            raise MalformedUsers(
                f"line {number} is no user: `addusers` writes JSON with user_id and token on each line"
            ) from None
    return accounts
