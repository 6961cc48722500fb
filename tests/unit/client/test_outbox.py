"""The client's outbox says truly when it has something to write."""

from tests.client.history import SentMessage
from tests.client.outbox import Outbox


def make_message(number: int, receiver_id: str = "usr-b") -> SentMessage:
    """A message of its own."""
    return SentMessage(client_id=number, receiver_id=receiver_id, content=f"{number}", submitted_at=0.0)


def test_what_a_postponed_message_holds_back_is_not_due_before_it() -> None:
    outbox = Outbox(ack_timeout=10.0)
    first, second = make_message(1), make_message(2)
    outbox.add(first)
    assert outbox.take_due(0.0) == [first]
    outbox.postpone(first, 5.0)
    outbox.add(second)
    assert outbox.take_due(1.0) == []
    assert outbox.next_due_at() == 5.0
    assert outbox.take_due(5.0) == [first, second]


def test_another_conversation_is_due_by_itself() -> None:
    outbox = Outbox(ack_timeout=10.0)
    first, other = make_message(1), make_message(2, "usr-c")
    outbox.add(first)
    outbox.take_due(0.0)
    outbox.postpone(first, 5.0)
    outbox.add(other)
    assert outbox.next_due_at() == 0.0
    assert outbox.take_due(1.0) == [other]
    assert outbox.next_due_at() == 5.0


def test_a_message_without_an_answer_is_due_when_its_time_is_over() -> None:
    outbox = Outbox(ack_timeout=10.0)
    message = make_message(1)
    outbox.add(message)
    outbox.take_due(2.0)
    assert outbox.next_due_at() == 12.0
    outbox.settle(message)
    assert outbox.next_due_at() is None
