"""Questions: a device sent a settled message again and wants to know how it stands."""

from collections.abc import Mapping, Sequence

from apps.delivery.frames import build_outcome, build_standing_receipt, to_change
from apps.inbox.inbox import Change, Waiting
from apps.messagestore.base import ClientKey, MessageStore, Standing
from apps.protocol.records import MessageRetried
from apps.relay.group_records import GroupHints


def answer_questions(
    store: MessageStore, questions: Sequence[MessageRetried], named: Mapping[str, Standing]
) -> tuple[list[Change], GroupHints]:
    """✓✓ or the late error again, where there is one, for the device that asked; of messages to groups the counts are
    asked for.

    Where the id is that of a repeat which was dropped, the device has just been told it anew by a gateway whose cache
    knows no better: then what stands, too.
    """
    by_client = _find_repeats(store, questions, named)
    changes: list[Change] = []
    hints = GroupHints()
    for question in questions:
        standing = named.get(question.message_id) or by_client.get(_to_key(question))
        if standing is not None and standing.sender_id == question.sender_id:
            changes += [
                to_change(question.sender_id, question.sender_device, receipt)
                for receipt in _build_answers(question, standing)
            ]
            hints.ask_to_tell(standing)
    return changes, hints


def _build_answers(question: MessageRetried, standing: Standing) -> list[Waiting]:
    answers = build_outcome(standing, question.sender_device, counts=False)
    return answers if standing.message_id == question.message_id else [build_standing_receipt(standing), *answers]


def _find_repeats(
    store: MessageStore, questions: Sequence[MessageRetried], named: Mapping[str, Standing]
) -> dict[ClientKey, Standing]:
    keys = {_to_key(one): None for one in questions if one.client_id and one.message_id not in named}
    return store.list_standings_by_client(list(keys)) if keys else {}


def _to_key(question: MessageRetried) -> ClientKey:
    return ClientKey(
        sender_id=question.sender_id,
        sender_device=question.sender_device,
        client_id=question.client_id,
        receiver_id=question.receiver_id,
    )
