"""Whose ✓ it is where a client id was used for other words; and what must come again since it was not confirmed."""

from collections.abc import Callable

import pytest

from tests.client.history import Acknowledgement, Attempt, Frame, SentMessage
from tests.simulation.client import SimClient
from tests.simulation.honest_site import HonestSite
from tests.simulation.mischief import Forgetting, Reuse
from tests.simulation.planning import make_plan
from tests.simulation.trace import Trace

FIRST, LATER = "msg-1", "msg-2"


@pytest.fixture
def reuse() -> Reuse:
    """Return a reuse of the id of a message that is done with."""
    first = SentMessage(client_id=1, receiver_id="usr-b", content="first words", submitted_at=0.0)
    first.attempts.append(Attempt(at=0.0, connection=1))
    first.acknowledgements.append(Acknowledgement(at=0.0, message_id=FIRST, sequence=1))
    return Reuse(first)


def tick(message_id: str) -> Callable[[Reuse], None]:
    return lambda reuse: reuse.take_tick(message_id)


def send_first_again(reuse: Reuse) -> None:
    reuse.first.attempts.append(Attempt(at=1.0, connection=1))


@pytest.mark.parametrize(
    ("events", "is_taken"),
    [
        ([], False),
        ([tick(FIRST)], True),
        ([tick(LATER)], True),
        ([tick(LATER), Reuse.take_conflict], False),
        ([Reuse.take_conflict, tick(FIRST)], False),
        ([send_first_again, tick(FIRST)], False),
        ([send_first_again, tick(LATER)], True),
        ([send_first_again, tick(LATER), tick(FIRST)], False),
        ([tick(FIRST), send_first_again, tick(FIRST)], True),
    ],
)
def test_a_tick_is_for_the_other_words_unless_it_may_be_for_the_first(
    reuse: Reuse, events: list[Callable[[Reuse], None]], is_taken: bool
) -> None:
    for event in events:
        event(reuse)
    assert reuse.is_taken is is_taken


@pytest.fixture
def client() -> SimClient:
    """Return a client that is not online."""
    plan = make_plan(3)
    return SimClient(HonestSite(plan), plan.people[0].devices[0], Trace())


def incoming(number: int, group_id: str | None = "grp-1") -> Frame:
    common = {"action": "incoming_message", "sender_id": "usr-b", "timestamp": number, "group_id": group_id}
    return common | {"message_id": f"msg-{number}", "content": f"word {number}", "sequence": number}


def test_what_could_not_be_stored_must_come_again(client: SimClient) -> None:
    forgetting = Forgetting(client)
    assert not client.diverts(incoming(1)), "it can store as yet"
    forgetting.begin()
    assert not client.diverts(incoming(2, None)), "this is of no group"
    assert client.diverts(incoming(3))
    assert not client.diverts(incoming(4)), "the next it can store again"
    assert list(forgetting.find_wrong()) == [
        f"msg-3 was not confirmed by {client.device.device_id} and never came again"
    ]
    assert not client.diverts(incoming(3))
    client.history.record(incoming(3), at=9.0, connection=2)
    assert list(forgetting.find_wrong()) == []


def test_a_device_that_logged_out_gets_nothing_again(client: SimClient) -> None:
    forgetting = Forgetting(client)
    forgetting.begin()
    assert client.diverts(incoming(1))
    client.history.logged_out_at = 9.0
    assert list(forgetting.find_wrong()) == []
