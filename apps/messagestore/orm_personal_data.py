"""One person's side of the ORM adapter. Rare enough to do without indexes of its own where others do in part."""

from apps.messagestore.base import Pointer
from apps.messagestore.orm_rows import to_body, to_pointer, to_trace
from apps.messagestore.orm_session import execute, execute_each, fetch, fetch_by_id, transaction_of_batch
from apps.messagestore.orm_statements import BODY, POINTER, TRACE
from apps.messagestore.personal_data import HeldMessage, list_ids

SENT_OR_RECEIVED = (
    "SELECT id FROM message WHERE (sender_id = %(user)s OR receiver_id = %(user)s) AND id > %(after)s"
    " ORDER BY id LIMIT %(limit)s"
)
WITH_CONTENT = "AND stripped_at_ms IS NULL AND refusal = ''"


class OrmPersonalData:
    """PersonalData on the database with the alias ``messages``."""

    def list_messages(self, user_id: str, after_id: str, limit: int) -> list[HeldMessage]:
        """See PersonalData."""
        ids = list_ids(fetch(SENT_OR_RECEIVED, {"user": user_id, "after": after_id, "limit": limit}))
        traces = {row[0]: to_trace(row) for row in fetch_by_id(f"SELECT {TRACE} FROM message", ids)}
        bodies = {row[0]: to_body(row) for row in fetch_by_id(f"SELECT {BODY} FROM message", ids, WITH_CONTENT)}
        return [HeldMessage(trace=traces[one], body=bodies.get(one)) for one in ids if one in traces]

    def list_read_pointers(self, user_id: str) -> list[Pointer]:
        """See PersonalData."""
        return [to_pointer(row) for row in fetch(f"SELECT {POINTER} FROM read_pointer WHERE reader_id = %s", [user_id])]

    def erase(self, user_id: str, limit: int) -> int:
        """See PersonalData."""
        ids = list_ids(fetch(SENT_OR_RECEIVED, {"user": user_id, "after": "", "limit": limit}))
        with transaction_of_batch():
            execute_each("DELETE FROM message WHERE id = %s", [(one,) for one in ids])
            execute("DELETE FROM read_pointer WHERE reader_id = %s OR peer_id = %s", [user_id, user_id])
        return len(ids)
