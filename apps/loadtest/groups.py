"""Groups for a load, made and deleted over REST as people do."""

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from apps.loadtest.connection import Address
from apps.loadtest.figures import Load
from apps.loadtest.load import split, split_members
from apps.loadtest.pair import Account

SECONDS = 30.0
NAMED_AT_ONCE = 400
"""One call names up to 500 people."""


class GroupsUnavailable(Exception):
    """The site does not give the groups that a load needs; says why."""


@contextmanager
def open_groups(
    address: Address, accounts: Sequence[Account], load: Load, warn: Callable[[str], object]
) -> Iterator[list[str]]:
    """The ids of the load's groups, of the accounts that `split_members` says, in order. They are deleted afterwards;
    ``warn`` is told of one that could not be. Raises GroupsUnavailable and OSError.
    """
    made: list[tuple[str, Account]] = []
    try:
        for number in range(load.groups):
            members = split_members(accounts, load, number)
            answer = _call(address, members[0], "POST", "/api/groups", {"name": f"Load test {number + 1}"})
            group_id = str(answer["group_id"])
            made.append((group_id, members[0]))
            _fill(address, group_id, members)
        yield [group_id for group_id, _ in made]
    finally:
        for group_id, owner in made:
            try:
                _call(address, owner, "DELETE", f"/api/groups/{group_id}")
            except (GroupsUnavailable, OSError) as error:
                warn(f"{group_id} was not deleted: {error}")


def _fill(address: Address, group_id: str, members: Sequence[Account]) -> None:
    owner, *others = members
    for batch in split(others, NAMED_AT_ONCE):
        body = {"user_ids": [account.user_id for account in batch]}
        _call(address, owner, "POST", f"/api/groups/{group_id}/members", body)
    group = _call(address, owner, "GET", f"/api/groups/{group_id}")
    if group["delivery"] == "poll":
        raise GroupsUnavailable(
            f"the site pushes nothing to groups of {len(members):,}, its GROUP_PUSH_LIMIT is lower: take a smaller "
            "--group-size"
        )
    if group["member_count"] != len(members):
        raise GroupsUnavailable(f"{group_id} has {group['member_count']:,} members in place of {len(members):,}")


def _call(
    address: Address, account: Account, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The answer. Raises GroupsUnavailable for a refusal, and for a change that is late; OSError."""
    connection = _connect(address)
    headers = {"Authorization": f"Token {account.token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except http.client.HTTPException as error:
        raise GroupsUnavailable(f"{method} {path}: {type(error).__name__}") from None
    finally:
        connection.close()
    if response.status not in (200, 201, 204):
        raise GroupsUnavailable(f"{method} {path}: {response.status} {text[:200]}")
    answer: dict[str, Any] = json.loads(text) if text else {}
    return answer


def _connect(address: Address) -> http.client.HTTPConnection:
    if address.tls is not None:
        return http.client.HTTPSConnection(address.host, address.port, timeout=SECONDS, context=address.tls)
    return http.client.HTTPConnection(address.host, address.port, timeout=SECONDS)
