"""Whose ✓ it is where a client id was used for other words."""

from collections.abc import Callable

import pytest

from tests.client.history import Acknowledgement, Attempt, SentMessage
from tests.simulation.mischief import Reuse

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
