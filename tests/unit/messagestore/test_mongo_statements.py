"""What the statements of the MongoDB adapter leave to no server."""

from apps.messagestore.base import NewMessage
from apps.messagestore.mongo_statements import CHUNK, chunks, insertions


def message(message_id: str, client_id: str, sequence: int) -> NewMessage:
    return NewMessage(
        message_id=message_id,
        sender_id="usr-a",
        sender_device="dev-a1",
        client_id=client_id,
        digest="d1",
        receiver_id="usr-b",
        conversation_id="cnv-1",
        sequence=sequence,
        content="hello",
        envelope=None,
        media=None,
        reply_to=None,
        timestamp_ms=0,
        sent_at_ms=0,
        pending_devices=(),
        own_devices=(),
        history_for=(),
        refusal="",
    )


def test_an_unordered_bulk_never_holds_two_rows_of_one_message() -> None:
    batch = [message("m1", "i1", 1), message("m1", "i1", 2), message("m2", "i1", 3), message("m3", "i2", 4)]
    rows = [one._doc for one in insertions(batch, 0)]
    assert [(row["_id"], row["sequence"]) for row in rows] == [("m1", 1), ("m3", 4)]


def test_ids_are_named_once_and_not_too_many_at_a_time() -> None:
    found = list(chunks([*map(str, range(CHUNK)), "0", "last"]))
    assert [len(chunk) for chunk in found] == [CHUNK, 1]
    assert found[1] == ["last"]
    assert list(chunks([])) == []
