"""What leaves a transaction of groups when it commits."""

from collections.abc import Sequence

from django.db import transaction

from apps.groups.facts import member_key, store_facts
from apps.protocol.ids import is_user_id


def announce_change(group_id: str, user_ids: Sequence[str]) -> None:
    """Write the facts of a group and of these memberships into Valkey, and make gateways forget what they knew.

    A failure is the transaction's caller's, though by then the change stands: who was removed must not read on, so it
    is to be announced again.
    """
    names = [group_id, *(member_key(group_id, one) for one in dict.fromkeys(user_ids) if is_user_id(one))]
    transaction.on_commit(lambda: store_facts(names))
