"""A batch on its way: only what a server certainly did not run is sent again."""

from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import (
    AskError,
    MovedError,
    NoScriptError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as ConnectionFailed,
)
from redis.exceptions import (
    TimeoutError as TimedOut,
)

from apps.valkey.batch import Batch, Shipment, command, item_commands, scatter, script_command
from apps.valkey.scripts import Script
from apps.valkey.slots import SlotMap

FIRST, SECOND, THIRD = "redis://h1:1", "redis://h2:2", "redis://h3:3"
SLOTS = SlotMap(FIRST, [[0, 8191, ["h1", 1]], [8192, 16383, ["h2", 2]]])
LOW, HIGH = "{b}", "{a}"  # slots 3300 and 15495


@pytest.fixture
def script(tmp_path: Path) -> Script:
    path = tmp_path / "one.lua"
    path.write_text("return ARGV")
    return Script(path)


def sent(shipments: list[Shipment]) -> dict[str, list[tuple[Any, ...]]]:
    return {shipment.url: shipment.commands for shipment in shipments}


def test_commands_go_to_their_keys_nodes_and_answers_come_back_in_order() -> None:
    batch = Batch([command("GET", f"1{LOW}"), command("GET", f"2{HIGH}"), command("GET", f"3{LOW}")], FIRST)
    shipments = batch.next_shipments(SLOTS)
    assert sent(shipments) == {FIRST: [("GET", f"1{LOW}"), ("GET", f"3{LOW}")], SECOND: [("GET", f"2{HIGH}")]}
    batch.take(shipments[0], ["one", "three"])
    batch.take(shipments[1], ["two"])
    assert batch.next_shipments(SLOTS) == []
    assert batch.answers() == ["one", "two", "three"]


def test_what_moved_is_sent_where_it_is_now_and_the_map_is_wrong() -> None:
    batch = Batch([command("GET", LOW), command("GET", HIGH)], FIRST)
    first, second = batch.next_shipments(SLOTS)
    batch.take(first, [MovedError("3300 h3:3")])
    batch.take(second, ["two"])
    assert batch.was_misled
    assert batch.new_owner == THIRD
    (again,) = batch.next_shipments(SLOTS)
    assert sent([again]) == {THIRD: [("GET", LOW)]}
    batch.take(again, ["one"])
    assert batch.answers() == ["one", "two"]


def test_a_slot_on_the_move_is_asked_for_with_asking_before_each_command() -> None:
    batch = Batch([command("GET", LOW), command("INCR", LOW)], FIRST)
    (shipment,) = batch.next_shipments(SLOTS)
    batch.take(shipment, [AskError("3300 h2:2"), AskError("3300 h2:2")])
    assert not batch.was_misled, "the slot is still where it was"
    (again,) = batch.next_shipments(SLOTS)
    assert again.commands == [("ASKING",), ("GET", LOW), ("ASKING",), ("INCR", LOW)]
    batch.take(again, ["OK", "one", "OK", 2])
    assert batch.answers() == ["one", 2]


def test_what_was_put_off_goes_to_its_slots_node_again() -> None:
    batch = Batch([command("GET", LOW)], FIRST)
    (shipment,) = batch.next_shipments(SLOTS)
    batch.take(shipment, [AskError("3300 h2:2")])
    (asked,) = batch.next_shipments(SLOTS)
    batch.take(asked, ["OK", TryAgainError("later")])
    assert batch.put_off
    assert sent(batch.next_shipments(SLOTS)) == {FIRST: [("GET", LOW)]}
    assert not batch.put_off
    with pytest.raises(TryAgainError):
        batch.answers()


def test_a_script_that_a_node_does_not_know_is_loaded_once_for_all_its_calls(script: Script) -> None:
    calls = [script_command(script, tag, (), on_cluster=True) for tag in ("b", "a", "b1")]
    batch = Batch(calls, FIRST)
    for shipment in batch.next_shipments(SLOTS):
        batch.take(shipment, [NoScriptError("no such script")] * len(shipment.commands))
    again = sent(batch.next_shipments(SLOTS))
    for commands in again.values():
        assert commands[0] == ("SCRIPT", "LOAD", "return ARGV")
        assert {one[0] for one in commands[1:]} == {"EVALSHA"}
    assert sum(len(commands) - 1 for commands in again.values()) == 3


@pytest.mark.parametrize("error", [ConnectionFailed("closed"), TimedOut("slow"), ResponseError("WRONGTYPE")])
def test_a_command_that_may_have_run_is_never_sent_again(error: Exception) -> None:
    batch = Batch([command("INCR", LOW), command("INCR", HIGH)], FIRST)
    first, second = batch.next_shipments(SLOTS)
    batch.take(first, [error])
    batch.take(second, [1])
    assert batch.next_shipments(SLOTS) == []
    with pytest.raises(type(error)):
        batch.answers()
    unanswered = isinstance(error, ConnectionFailed | TimedOut)
    assert batch.failed_urls == ({FIRST} if unanswered else set())
    assert batch.was_misled is unanswered


def test_on_a_server_all_items_are_one_call(script: Script) -> None:
    commands, indexes = item_commands(script, ("head",), [("u1", 1), ("u2", 2)], on_cluster=False)
    assert [one.args for one in commands] == [("EVALSHA", script.sha, 0, "head", "u1", 1, "u2", 2)]
    assert scatter(indexes, [["one", "two"]]) == ["one", "two"]


def test_on_a_cluster_each_hash_tag_has_one_call_that_names_two_keys_of_its_slot(script: Script) -> None:
    commands, indexes = item_commands(script, ("head",), [("u1", 1), ("u2", 2), ("u1", 3)], on_cluster=True)
    assert [one.args for one in commands] == [
        ("EVALSHA", script.sha, 2, "{u1}", "{u1}:", "head", "u1", 1, "u1", 3),
        ("EVALSHA", script.sha, 2, "{u2}", "{u2}:", "head", "u2", 2),
    ]
    assert scatter(indexes, [["one", "three"], ["two"]]) == ["one", "two", "three"]


def test_a_script_that_answers_with_too_few_entries_is_a_fault(script: Script) -> None:
    _, indexes = item_commands(script, (), [("u1",), ("u1",)], on_cluster=True)
    with pytest.raises(ValueError, match="shorter"):
        scatter(indexes, [["one"]])
