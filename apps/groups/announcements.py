"""What leaves a transaction of groups when it commits; a failure then is logged, and time makes it good."""

from collections.abc import Sequence

from apps.accounts.announcements import on_commit
from apps.groups.facts import member_key, store_facts
from apps.protocol.ids import is_user_id


def announce_group(group_id: str) -> None:
    """Write the group's facts into Valkey, and make gateways forget what they knew."""
    on_commit(store_facts, [group_id])


def announce_members(group_id: str, user_ids: Sequence[str]) -> None:
    """The same for memberships."""
    if names := [member_key(group_id, user_id) for user_id in user_ids if is_user_id(user_id)]:
        on_commit(store_facts, names)
