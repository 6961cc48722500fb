"""Counting by bisection says the same as looking at each member."""

from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.selectors import DeliveryFacts
from apps.delivery.group_members import GroupMembers
from apps.delivery.group_tally import Tally
from apps.groups.selectors import Spell
from apps.messagestore.groups import GroupPointer, GroupRow, Settlement

GROUP = "grp-000000000001"
SEQUENCES = st.integers(min_value=1, max_value=30)


def count_one_by_one(row: GroupRow, members: GroupMembers) -> Settlement:
    receivers = [one for one in members.spells if one != row.sender_id and members.was_member(one, row.sequence)]
    lacking = [one for one in receivers if not members.has(one, row)]
    devices = [(user_id, device_id) for user_id in members.spells for device_id in members.devices(user_id)]
    return Settlement(
        message_id=row.message_id,
        delivered_count=len(receivers) - len(lacking),
        delivered_to_all=not any(members.is_member(one) for one in lacking),
        waited_for=bool(lacking) or any(members.lacks(user_id, device_id, row) for user_id, device_id in devices),
    )


@st.composite
def spells_of_somebody(draw: st.DrawFn, user_id: str) -> list[Spell]:
    bounds = sorted(draw(st.sets(SEQUENCES, min_size=1, max_size=4)))
    pairs = list(zip(bounds[::2], [*bounds[1::2], None], strict=False))
    return [Spell(user_id=user_id, from_sequence=start, to_sequence=end) for start, end in pairs]


@st.composite
def groups(draw: st.DrawFn) -> GroupMembers:
    members = GroupMembers(group_id=GROUP, spells={}, facts={}, pointers={})
    spells: dict[str, list[Spell]] = {}
    facts: dict[str, DeliveryFacts] = {}
    for number in range(draw(st.integers(min_value=1, max_value=5))):
        user_id = f"usr-{number}"
        spells[user_id] = draw(spells_of_somebody(user_id))
        devices = tuple(f"dev-{number}{device}" for device in range(draw(st.integers(min_value=0, max_value=3))))
        facts[user_id] = DeliveryFacts(active=True, history_days=0, read_receipts=True, devices=devices)
        for device_id in ("", *devices):
            if draw(st.booleans()):
                upto = max(draw(SEQUENCES), spells[user_id][0].from_sequence)
                beyond = draw(st.sets(st.integers(min_value=upto + 1, max_value=32), max_size=2))
                members.pointers[user_id, device_id] = GroupPointer(
                    group_id=GROUP, user_id=user_id, device_id=device_id, upto=upto, beyond=tuple(sorted(beyond))
                )
    members.spells, members.facts = spells, facts
    return members


@given(groups(), SEQUENCES, st.integers(min_value=0, max_value=5), st.integers(min_value=0, max_value=3))
def test_bisection_counts_as_one_by_one(members: GroupMembers, sequence: int, sender: int, device: int) -> None:
    row = GroupRow(
        message_id="msg-1",
        group_id=GROUP,
        sequence=sequence,
        sender_id=f"usr-{sender}",
        sender_device=f"dev-{sender}{device}",
        timestamp_ms=1,
        undelivered=True,
        delivered_count=0,
    )
    assert Tally(members).settle(row) == count_one_by_one(row, members)
