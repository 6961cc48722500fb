"""The keyspaces on real servers, one and a cluster: order, errors, scripts, and who is asked when."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from apps.valkey.async_keyspace import async_keyspace
from apps.valkey.pools import ValkeyError, close_async_clients, sync_client
from apps.valkey.scripts import Script
from apps.valkey.sync_keyspace import SyncKeyspace, sync_keyspace

T = TypeVar("T")
USERS = [f"usr-{number:012x}" for number in range(50)]


@pytest.fixture
def adding(tmp_path: Path) -> Script:
    """Adds to a counter of each user and tells what it is then."""
    path = tmp_path / "add.lua"
    path.write_text(
        "local answer = {} for i = 2, #ARGV, 2 do "
        "answer[#answer + 1] = {ARGV[1], redis.call('INCRBY', 'n:{' .. ARGV[i] .. '}', ARGV[i + 1])} end return answer"
    )
    return Script(path)


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def whole() -> T:
        try:
            return await work()
        finally:
            await close_async_clients()

    return asyncio.run(whole())


def test_commands_for_one_key_are_carried_out_in_their_order(inbox_valkey: SyncKeyspace, settings: Any) -> None:
    commands = [one for user in USERS for one in (("SET", user, "1"), ("INCR", user), ("GET", user), ("DEL", user))]
    expected = [True, 2, "2", 1] * len(USERS)
    assert inbox_valkey.execute_all(commands) == expected
    assert run(lambda: async_keyspace(settings.INBOX_REDIS_URL).execute_all(commands)) == expected


def test_nothing_to_do_is_nothing(inbox_valkey: SyncKeyspace, adding: Script, settings: Any) -> None:
    keyspace = async_keyspace(settings.INBOX_REDIS_URL)
    assert inbox_valkey.execute_all([]) == inbox_valkey.run_items(adding, (), []) == []
    assert run(lambda: keyspace.execute_all([])) == run(lambda: keyspace.get_all([])) == []
    assert run(lambda: keyspace.run_items(adding, (), [])) == []


def test_many_texts_are_read_in_the_order_asked(inbox_valkey: SyncKeyspace, settings: Any) -> None:
    inbox_valkey.execute_all([("SET", f"t:{{{user}}}", user) for user in USERS[::2]])
    texts = run(lambda: async_keyspace(settings.INBOX_REDIS_URL).get_all([f"t:{{{user}}}" for user in USERS]))
    assert texts == [user if number % 2 == 0 else None for number, user in enumerate(USERS)]


def test_a_script_does_all_items_and_is_sent_whole_where_nobody_knows_it(
    inbox_valkey: SyncKeyspace, adding: Script, settings: Any
) -> None:
    items = [(user, amount) for amount in (1, 10) for user in USERS]
    expected = [["head", 1]] * len(USERS) + [["head", 11]] * len(USERS)
    assert inbox_valkey.run_items(adding, ("head",), items) == expected
    for url in inbox_valkey.node_urls():
        sync_client(url).script_flush()
    answers = run(lambda: async_keyspace(settings.INBOX_REDIS_URL).run_items(adding, ("head",), items))
    assert answers == [["head", 12]] * len(USERS) + [["head", 22]] * len(USERS)
    assert inbox_valkey.run(adding, USERS[0], ("one", USERS[0], 5)) == [["one", 27]]


def test_a_batch_is_one_call_on_a_server_and_one_for_each_user_on_a_cluster(
    inbox_valkey: SyncKeyspace, adding: Script
) -> None:
    inbox_valkey.run_items(adding, ("head",), [(user, 1) for user in USERS])
    for url in inbox_valkey.node_urls():
        sync_client(url).config_resetstat()
    inbox_valkey.run_items(adding, ("head",), [(user, 1) for user in USERS * 2])
    calls = [
        sync_client(url).info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
        for url in inbox_valkey.node_urls()
    ]
    assert sum(calls) == (1 if len(calls) == 1 else len(USERS))


def test_an_error_answer_is_raised_and_leaves_the_connection_clean(inbox_valkey: SyncKeyspace, settings: Any) -> None:
    commands = [("SET", f"{{{user}}}", "text") for user in USERS]
    commands[3] = ("LPUSH", f"{{{USERS[2]}}}", "x")
    with pytest.raises(ValkeyError, match="WRONGTYPE"):
        inbox_valkey.execute_all(commands)
    assert inbox_valkey.execute("GET", f"{{{USERS[4]}}}") == "text", "what came after it was done"
    keyspace = async_keyspace(settings.INBOX_REDIS_URL)
    with pytest.raises(ValkeyError, match="WRONGTYPE"):
        run(lambda: keyspace.execute_all(commands))
    assert run(lambda: keyspace.execute("GET", f"{{{USERS[4]}}}")) == "text"


def test_a_scan_finds_everything_once(inbox_valkey: SyncKeyspace) -> None:
    inbox_valkey.execute_all([("SET", f"s:{{{user}}}", "1") for user in USERS])
    assert sorted(inbox_valkey.scan("s:*")) == [f"s:{{{user}}}" for user in USERS]
    inbox_valkey.check()


def test_a_walk_finds_everything_step_by_step(inbox_valkey: SyncKeyspace) -> None:
    inbox_valkey.execute_all([("SET", f"s:{{{user}}}", "1") for user in USERS])
    cursor, found = inbox_valkey.scan_page("s:*", "", 2)
    assert cursor, "one step does not see all"
    while cursor:
        cursor, keys = inbox_valkey.scan_page("s:*", cursor, 2)
        found += keys
    assert sorted(set(found)) == [f"s:{{{user}}}" for user in USERS]
    assert inbox_valkey.scan_page("s:*", "1000 0", 2) == ("", []), "the cursor of a cluster that has shrunk"


def test_a_server_that_is_down_at_first_is_asked_again(valkey_servers: dict[str, Path], tmp_path: Path) -> None:
    link = tmp_path / "valkey.sock"
    keyspace = sync_keyspace(f"unix://{link}")
    with pytest.raises(ValkeyError):
        keyspace.execute("GET", "a")
    link.symlink_to(valkey_servers["cache"])
    assert keyspace.execute("GET", "no-such-key") is None


def test_nobody_there_is_one_line_with_every_address() -> None:
    with pytest.raises(ValkeyError, match=r"no server answers: 127.0.0.1:1: .*127.0.0.1:2: "):
        sync_keyspace("redis://:secret@127.0.0.1:1,127.0.0.1:2").execute("GET", "a")
    with pytest.raises(ValkeyError, match="no server answers"):
        run(lambda: async_keyspace("redis://:secret@127.0.0.1:1,127.0.0.1:2").execute("GET", "a"))
