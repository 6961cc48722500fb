"""The end state that the fault test judges is what the Message DB really holds."""

import asyncio

from tests.client.chat_client import ChatClient
from tests.client.people import AccountPool
from tests.client.server import Server
from tests.faults.checker import check
from tests.faults.end_state import read_end_state


async def test_the_end_state_tells_what_is_delivered_and_what_waits(server: Server, accounts: AccountPool) -> None:
    ann, bob, eve = accounts.take(3)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        delivered = a.send(bob.user_id, "delivered")
        await a.wait_delivered(60)
        waiting = a.send(eve.user_id, "waiting")
        await a.wait_for(lambda: waiting.is_acknowledged, "✓", 60)

    def read() -> dict[str, object]:
        document = read_end_state(server)
        return document if waiting.message_id in {row["message_id"] for row in document["rows"]} else {}

    async with asyncio.timeout(60):
        while not (document := await asyncio.to_thread(read)):
            await asyncio.sleep(0.2)
    rows = {row["message_id"]: row for row in document["rows"]}  # type: ignore[attr-defined]
    assert (rows[delivered.message_id]["has_content"], rows[delivered.message_id]["undelivered"]) == (False, False)
    assert (rows[waiting.message_id]["has_content"], rows[waiting.message_id]["pending_devices"]) == (
        True,
        [eve.device_id],
    )
    mine = {row_id: row for row_id, row in rows.items() if row["sender_id"] == ann.user_id}
    kinds = {
        finding.kind
        for finding in check([b.history, a.history], end_state=document | {"rows": list(mine.values())}).findings
    }
    assert kinds <= {"no ✓✓"}, "of eve's message, which waits"
