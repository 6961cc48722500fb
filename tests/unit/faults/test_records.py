"""Histories are written so that a script can read them."""

from pathlib import Path

import orjson

from tests.client.history import History, SentMessage
from tests.faults.records import write_histories


def test_each_device_has_a_line_with_what_it_sent_and_saw(tmp_path: Path) -> None:
    ann, bob = History("usr-a", "dev-a"), History("usr-b", "dev-b")
    ann.sent[1] = SentMessage(client_id=1, receiver_id="usr-b", content="hello", submitted_at=10.0)
    ids = {"message_id": "msg-1", "timestamp": 1, "sequence": 7}
    ann.record({"action": "message_received", "message_id_by_client": 1} | ids, at=10.5, connection=1)
    bob.record({"action": "incoming_message", "sender_id": "usr-a", "content": "hello"} | ids, at=11.0, connection=2)
    write_histories(tmp_path / "histories.jsonl", [ann, bob])
    first, second = map(orjson.loads, (tmp_path / "histories.jsonl").read_bytes().splitlines())
    assert (first["device_id"], first["logged_in_at"], first["shown"]) == ("dev-a", None, [])
    assert first["sent"][0]["acknowledgements"] == [{"at": 10.5, "message_id": "msg-1", "sequence": 7}]
    assert (second["shown"][0]["content"], second["shown"][0]["at"]) == ("hello", 11.0)
