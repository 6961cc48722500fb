"""Whether a message has arrived: told to its sender, as long as the store knows."""

import time

import pytest

from apps.messagestore.base import TRACE_KEPT_MS
from apps.messagestore.store import get_message_store
from tests.unit.api.stored_messages import deliver, message_id, write

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


def ask(person, number: int):
    return person.client.get(f"/api/message/{message_id(number)}/delivery")


def test_the_sender_is_told_when_the_receiver_has_it(ada, bob) -> None:
    write(ada, bob, [1])
    assert ask(ada, 1).json() == {"delivered": 0, "members": 1}
    deliver(bob, [1])
    assert ask(ada, 1).json() == {"delivered": 1, "members": 1}


def test_it_is_answered_after_the_content_is_gone_until_the_row_is(ada, bob) -> None:
    store = get_message_store()
    write(ada, bob, [1])
    deliver(bob, [1])
    trace = store.trace(message_id(1))
    assert trace is not None
    assert trace.stripped_at_ms is not None, "nobody keeps it"
    assert ask(ada, 1).json() == {"delivered": 1, "members": 1}
    assert store.purge_expired(int(time.time() * 1000) + TRACE_KEPT_MS + 60_000, 10) == 1
    assert ask(ada, 1).status_code == 404


def test_a_message_of_somebody_elses_a_withdrawn_one_and_one_that_never_was_are_not_found(ada, bob, person) -> None:
    write(ada, bob, [1])
    write(ada, bob, [2], refusal="forbidden")
    for asking, number in ((bob, 1), (person("eve"), 1), (ada, 2), (ada, 3)):
        answer = ask(asking, number)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("wrong", ["msg-1", "usr-000000000000", "msg-00000000000000AA", "x"])
def test_what_is_no_message_id_is_not_found(ada, wrong: str) -> None:
    assert ada.client.get(f"/api/message/{wrong}/delivery").status_code == 404
