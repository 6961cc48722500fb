"""One person's side of the ORM adapter. Rare enough to do without indexes of its own where others do in part."""

from apps.messagestore.base import Pointer
from apps.messagestore.orm_rows import to_body, to_pointer, to_trace
from apps.messagestore.orm_session import execute, execute_each, fetch, fetch_by_id, transaction_of_batch
from apps.messagestore.orm_statements import BODY, POINTER, TRACE
from apps.messagestore.personal_data import HeldMessage

# Of events of groups, which are named "evt-", the sender is who asked for the change: they are the group's.
SENT_OR_RECEIVED = "FROM message WHERE (sender_id = %(user)s OR receiver_id = %(user)s) AND id >= 'msg-'"
IDS = f"SELECT id {SENT_OR_RECEIVED} AND id > %(after)s ORDER BY id LIMIT %(limit)s"
COUNT = f"SELECT count(*) {SENT_OR_RECEIVED}"
WITH_CONTENT = "AND stripped_at_ms IS NULL AND refusal = ''"


class OrmPersonalData:
    """PersonalData on the database with the alias ``messages``."""

    def list_messages(self, user_id: str, after_id: str, limit: int) -> list[HeldMessage]:
        """See PersonalData."""
        ids = _list_ids(user_id, after_id, limit)
        traces = {row[0]: to_trace(row) for row in fetch_by_id(f"SELECT {TRACE} FROM message", ids)}
        bodies = {row[0]: to_body(row) for row in fetch_by_id(f"SELECT {BODY} FROM message", ids, WITH_CONTENT)}
        return [HeldMessage(trace=traces[one], body=bodies.get(one)) for one in ids if one in traces]

    def count_messages(self, user_id: str) -> int:
        """See PersonalData."""
        return int(fetch(COUNT, {"user": user_id})[0][0])

    def list_read_pointers(self, user_id: str) -> list[Pointer]:
        """See PersonalData."""
        return [to_pointer(row) for row in fetch(f"SELECT {POINTER} FROM read_pointer WHERE reader_id = %s", [user_id])]

    def erase(self, user_id: str, limit: int) -> int:
        """See PersonalData."""
        ids = _list_ids(user_id, "", limit)
        with transaction_of_batch():
            execute_each("DELETE FROM message WHERE id = %s", [(one,) for one in ids])
            execute("DELETE FROM read_pointer WHERE reader_id = %s OR peer_id = %s", [user_id, user_id])
            execute("DELETE FROM group_pointer WHERE user_id = %s", [user_id])
        return len(ids)


def _list_ids(user_id: str, after_id: str, limit: int) -> list[str]:
    return [row[0] for row in fetch(IDS, {"user": user_id, "after": after_id, "limit": limit})]
