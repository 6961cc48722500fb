"""`manage.py loadtest` against a real site: what it measures, and what it leaves behind."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.client.server import Server

COUNT_USERS = "from apps.accounts.models import User; print(User.objects.count())"
QUICK = ("--warmup", "0", "--seconds", "1", "--json")


async def test_it_makes_its_users_measures_and_leaves_nothing(server: Server) -> None:
    users = await asyncio.to_thread(server.manage, "shell", "-v", "0", "-c", COUNT_USERS)
    before = set(server.waiting_entries())
    load = ("--pairs", "4", "--rate", "40", "--offline", "50")
    figures = json.loads(await asyncio.to_thread(server.manage, "loadtest", *load, *QUICK))
    assert figures["load"]["away"] == 2
    assert figures["sent"] == figures["accepted"] == figures["arrived"] == figures["delivered"] >= 20
    assert (figures["missing"], figures["disordered"], figures["refusals"]) == (0, 0, {})
    assert figures["drained"] >= 8
    assert figures["acknowledged_ms"]["p50"] > 0
    assert set(server.waiting_entries()) <= before
    assert await asyncio.to_thread(server.manage, "shell", "-v", "0", "-c", COUNT_USERS) == users


async def test_it_writes_as_users_that_are_given(server: Server, tmp_path: Path) -> None:
    users = tmp_path / "users.jsonl"
    await asyncio.to_thread(server.manage, "addusers", "--count", "4", "--out", str(users))
    load = ("--pairs", "2", "--rate", "0", "--window", "3", "--users", str(users))
    table = await asyncio.to_thread(server.manage, "loadtest", *load, *QUICK[:-1])
    assert "delivered (✓✓)" in table
    with pytest.raises(RuntimeError, match="4 users; two for each pair and the members of groups are 6"):
        await asyncio.to_thread(server.manage, "loadtest", "--pairs", "3", "--users", str(users))


async def test_it_says_where_no_site_is_and_who_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Is the site running there"):
        await asyncio.to_thread(server.manage, "loadtest", "--pairs", "1", "--url", "http://127.0.0.1:1", *QUICK)
    users = tmp_path / "users.jsonl"
    users.write_text('{"user_id": "usr-000000000001", "token": "x"}\n' * 2)
    with pytest.raises(RuntimeError, match="4401"):
        await asyncio.to_thread(server.manage, "loadtest", "--pairs", "1", "--users", str(users), *QUICK)
