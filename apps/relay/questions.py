"""Questions: a device sent a settled message again and wants to know how it stands."""

from collections.abc import Mapping, Sequence

from apps.delivery.frames import build_outcome, to_change
from apps.inbox.inbox import Change
from apps.messagestore.base import Standing
from apps.protocol.records import MessageRetried


def answer_questions(questions: Sequence[MessageRetried], named: Mapping[str, Standing]) -> list[Change]:
    """✓✓ or the late error again, where there is one, for the device that asked."""
    return [
        to_change(question.sender_id, question.sender_device, receipt)
        for question in questions
        if (standing := named.get(question.message_id)) is not None and standing.sender_id == question.sender_id
        for receipt in build_outcome(standing, question.sender_device)
    ]
