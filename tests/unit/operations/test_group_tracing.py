"""What operators see of groups: one message's way to its members, what waits for whom, and fan-outs that are late."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from apps.groups.models import Group
from apps.messagestore.base import StoreUnavailable
from apps.operations import group_tracing, inbox_contents
from apps.operations.diagnosis import LOOKS, Finding
from apps.operations.management.commands import trace as trace_command
from tests.unit.group_world import Circle, message_id

pytestmark = [
    pytest.mark.django_db(databases=["default", "messages"], transaction=True),
    pytest.mark.usefixtures("log_valkey"),
]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def trace(number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("trace", message_id(number), "--json"))
    return found


def test_a_message_to_a_group_is_followed_to_each_device_of_its_members(circle: Circle) -> None:
    circle.relay(circle.message(1))
    assert trace(1)["group"]["fanned_out"] is False
    circle.fan_out()
    circle.confirm(circle.bob, circle.bob1, 1)
    found = trace(1)
    assert found["group"] == {
        "group_id": circle.group_id,
        "name": "Circle",
        "polled": False,
        "members": 2,
        "delivered_count": 1,
        "read_count": 0,
        "fanned_out": True,
    }
    assert (found["sender_id"], found["receiver_id"], found["conversation_id"]) == (circle.ada, None, circle.group_id)
    states = {one["device_id"]: one["confirmed"] for one in found["devices"]}
    assert states == {circle.ada2: False, circle.bob1: True, circle.bob2: False, circle.cyd1: False}
    assert found["devices"][-1]["device_id"] == circle.bob1, "who has it still to confirm comes first"


def test_who_came_later_is_not_waited_for(circle: Circle) -> None:
    circle.relay(circle.message(1), circle.change("joined", circle.ada, circle.dee))
    assert circle.dee1 not in {one["device_id"] for one in trace(1)["devices"]}
    assert trace(1)["group"]["members"] == 2


def test_the_text_says_it_in_short_and_never_the_words(circle: Circle) -> None:
    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    text = run("trace", message_id(1))
    assert f"to the group {circle.group_id}, 'Circle'\n" in text
    assert "\nfan-out      done\n" in text
    assert "\nmembers      2, of whom 1 have it\n" in text
    assert f"\nconfirmed    by {circle.bob1} of {circle.bob}\n" in text
    assert f"\nwaits        for {circle.cyd1} of {circle.cyd}\n" in text
    assert "hello" not in text + run("trace", message_id(1), "--json")


def test_of_many_devices_the_text_has_the_first_and_a_count(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_command, "SHOWN", 2)
    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    text = run("trace", message_id(1))
    assert text.count("\nwaits ") == 2
    assert "\n             and 2 devices more, 1 of which have confirmed it\n" in text
    assert len(trace(1)["devices"]) == 4


def test_a_message_that_members_poll_for_has_no_receipts(circle: Circle) -> None:
    Group.objects.filter(pk=circle.group_id).update(is_polled=True)
    circle.relay(circle.message(1))
    found = trace(1)
    assert (found["group"]["polled"], found["group"]["fanned_out"], found["devices"]) == (True, None, [])
    assert "members      2, who ask for it by themselves" in run("trace", message_id(1))


def test_a_withdrawn_message_waits_for_nobody(circle: Circle) -> None:
    circle.relay(circle.message(1, sender_id=circle.dee, sender_device=circle.dee1))
    found = trace(1)
    assert (found["refusal"], found["devices"]) == ("not_a_member", [])
    assert "withdrawn    not_a_member" in run("trace", message_id(1))


# -- inbox show ------------------------------------------------------------------------------------------------------


def show(name: str) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in run("inbox", "show", name, "--json").splitlines()]
    return {line["device_id"]: line for line in lines}


def test_an_inbox_tells_what_is_of_which_group(circle: Circle, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_contents, "WINDOW", 2)
    circle.send(1, 2, 3)
    world.relay(world.message(9), first_position=900)
    shown = show("bob")[circle.bob1]
    assert (shown["messages"], shown["groups"]) == (4, {circle.group_id: 3})
    text = run("inbox", "show", "bob")
    assert f"\n  3 of the messages are of the group {circle.group_id}\n" in text
    circle.confirm(circle.bob, circle.bob1, 1, 2, 3)
    assert show("bob")[circle.bob1]["groups"] == {}


def test_an_inbox_is_shown_while_the_store_is_away(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def __getattr__(self, name: str) -> Any:
            raise StoreUnavailable("gone fishing")

    circle.send(1)
    monkeypatch.setattr(inbox_contents, "get_message_store", Away)
    shown = show("bob")[circle.bob1]
    assert (shown["messages"], shown["groups"]) == (1, None)
    assert "messages 1" in run("inbox", "show", "bob")


# -- doctor ----------------------------------------------------------------------------------------------------------


def look() -> Finding:
    [finding] = LOOKS["groups"]()
    return finding


@pytest.mark.parametrize("kind", ["message", "event"])
def test_a_fan_out_that_is_late_is_a_finding(circle: Circle, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    assert (look().level, look().text) == ("ok", "none waits for its fan-out")
    circle.relay(circle.message(1) if kind == "message" else circle.change("renamed", circle.ada, name="Ring"))
    assert look().level == "ok", "it was stored a moment ago"
    now = group_tracing.time.time()
    monkeypatch.setattr(group_tracing.time, "time", lambda: now + 61)
    finding = look()
    assert (finding.level, finding.text) == ("warning", f"1 groups wait for over a minute: {circle.group_id}")
    assert "Celery" in finding.advice
    circle.fan_out()
    assert look().level == "ok"
