"""A change comes into force: called by the relay, in the log's order, once for each event however often it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.groups.announcements import announce_change
from apps.groups.kinds import Kind
from apps.groups.models import Change, Group, Invite, Member
from apps.groups.rules import ADMIN, MEMBER, OWNER, Standing, judge
from apps.groups.selectors import Spell, list_blockers, list_living, live_invites
from apps.protocol.records import GroupChangeSubmitted

MODERATOR = "moderator"
"""In place of a user's id in ``by``: the site's moderators act as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a change. ``user_ids`` are those whom it concerned; ``version`` is the group's after it.
    ``pushed``, which only ``carry_out`` tells: messages on at least one side of it are pushed, so that it stands among
    them in everybody's inboxes.
    """

    refusal: str
    user_ids: tuple[str, ...]
    version: int
    pushed: bool = False


def carry_out(record: GroupChangeSubmitted, sequence: int) -> Outcome:
    """Let a change come into force at its place in the log, or refuse it; the same again for one that was settled.

    Raises ValueError for a kind that this release does not know, a database error, and ValkeyError where gateways may
    not know of it yet: then ask again.
    """
    kind = Kind(record.kind)
    with transaction.atomic():
        # The group's row orders whoever is at work on it: a relay and one that has lost its partition without noticing.
        group = Group.objects.select_for_update().filter(pk=record.group_id).first()
        change = Change.objects.filter(pk=record.event_id).first()
        if change is not None:
            pushed = _was_pushed(record.group_id, sequence)
        else:
            was_polled = group is not None and group.is_polled
            change, group = _settle(kind, record, sequence, group)
            is_pushed = group is not None and not group.is_polled and group.deleted_at is None
            pushed = is_pushed or not was_polled
        outcome = Outcome(
            refusal=change.refusal,
            user_ids=tuple(change.user_ids.split()),
            version=change.version,
            pushed=pushed and not change.refusal,
        )
        if not outcome.refusal:
            # Of one that was settled too: whoever settled it may have been cut off before this.
            announce_change(record.group_id, (record.by, *outcome.user_ids))
        return outcome


def _settle(
    kind: Kind, record: GroupChangeSubmitted, sequence: int, group: Group | None
) -> tuple[Change, Group | None]:
    standing = load_standing(record.group_id, record.by, record.user_ids, record.details)
    verdict = judge(kind, record.by, record.user_ids, record.details, standing, moderates=record.by == MODERATOR)
    version = group.version if group is not None else 0
    if not verdict.refusal:
        group = group or _create(record)
        _apply(kind, group, verdict.user_ids, record.details, sequence)
        version = _finish(group, is_new=kind is Kind.CREATED)
    change = Change.objects.create(
        event_id=record.event_id,
        group_id=record.group_id,
        sequence=sequence,
        refusal=verdict.refusal,
        user_ids=" ".join(verdict.user_ids),
        version=version,
    )
    return change, group


def _was_pushed(group_id: str, sequence: int) -> bool:
    """Whether the group was small enough before or after this place in the log: by now it may be another size. What
    ends a group leaves nothing to push after it.
    """
    members = Member.objects.filter(group_id=group_id)
    before = members.filter(Q(to_sequence=None) | Q(to_sequence__gte=sequence), from_sequence__lt=sequence)
    after = members.filter(Q(to_sequence=None) | Q(to_sequence__gt=sequence), from_sequence__lte=sequence)
    sizes = [size for size in (before.count(), after.count()) if size]
    return not sizes or min(sizes) <= settings.GROUP_PUSH_LIMIT


def load_standing(group_id: str, by: str, user_ids: Sequence[str], details: Mapping[str, Any]) -> Standing:
    """What a change is judged by, as it is now."""
    row = Group.objects.filter(pk=group_id).first()
    group = row if row is not None and row.deleted_at is None else None
    named = [by, *user_ids]
    roles = dict(
        Member.objects.filter(group_id=group_id, user__in=named, to_sequence=None).values_list("user_id", "role")
    )
    return Standing(
        taken=row is not None,
        exists=group is not None,
        frozen=group is not None and group.frozen,
        member_count=group.member_count if group is not None else 0,
        roles=roles,
        may_join=frozenset(list_living(named) - list_blockers(by, user_ids)),
        invite_holds=_invite_holds(group_id, details.get("invite")),
    )


def list_later_spells(after: Mapping[str, int]) -> dict[str, list[Spell]]:
    """Group → the memberships that begin or end at this sequence of the log, or after it: what is in force already of
    changes whose turn is still to come. Usually there are none.
    """
    found: dict[str, list[Spell]] = {}
    if not after:
        return found
    first = min(after.values())
    ahead = set(Change.objects.filter(group_id__in=list(after), sequence__gte=first).values_list("group_id", flat=True))
    if not ahead:
        return found
    later = Q(from_sequence__gte=first) | Q(to_sequence__gte=first)
    rows = Member.objects.filter(later, group_id__in=ahead)
    for group_id, user_id, start, end in rows.values_list("group_id", "user_id", "from_sequence", "to_sequence"):
        if max(start, end or 0) >= after[group_id]:
            spell = Spell(user_id=user_id, from_sequence=start, to_sequence=end)
            found.setdefault(group_id, []).append(spell)
    return found


def _invite_holds(group_id: str, invite: object) -> bool:
    if not isinstance(invite, int):
        return False
    return Invite.objects.filter(live_invites(), pk=invite, group_id=group_id).exists()


def _create(record: GroupChangeSubmitted) -> Group:
    details = record.details
    return Group.objects.create(
        id=record.group_id,
        name=details["name"],
        description=details.get("description", ""),
        picture=details.get("picture", ""),
        version=0,
    )


def _apply(kind: Kind, group: Group, user_ids: Sequence[str], details: Mapping[str, Any], sequence: int) -> None:
    match kind:
        case Kind.CREATED:
            _add(group, user_ids[:1], OWNER, sequence)
            _add(group, user_ids[1:], MEMBER, sequence)
        case Kind.JOINED:
            _add(group, user_ids, MEMBER, sequence)
        case Kind.LEFT | Kind.REMOVED:
            Member.objects.filter(group=group, user__in=user_ids, to_sequence=None).update(to_sequence=sequence)
        case Kind.ROLE:
            _give_role(group, user_ids[0], details["role"])
        case Kind.DELETED:
            Member.objects.filter(group=group, to_sequence=None).update(to_sequence=sequence)
        case _:
            _describe(kind, group, details)


def _describe(kind: Kind, group: Group, details: Mapping[str, Any]) -> None:
    match kind:
        case Kind.RENAMED:
            group.name = details["name"]
        case Kind.DESCRIBED:
            group.description = details["description"]
        case Kind.PICTURED:
            group.picture = details["picture"]
        case Kind.RULES:
            group.only_admins_write = details.get("only_admins_write", group.only_admins_write)
            group.slow_mode_seconds = details.get("slow_mode_seconds", group.slow_mode_seconds)
        case Kind.FROZEN:
            group.frozen, group.freeze_reason = True, details.get("reason", "")
        case Kind.UNFROZEN:
            group.frozen, group.freeze_reason = False, ""


def _add(group: Group, user_ids: Sequence[str], role: str, sequence: int) -> None:
    rows = [Member(group=group, user_id=user_id, role=role, from_sequence=sequence) for user_id in user_ids]
    Member.objects.bulk_create(rows)


def _give_role(group: Group, user_id: str, role: str) -> None:
    members = Member.objects.filter(group=group, to_sequence=None)
    if role == OWNER:
        members.filter(role=OWNER).update(role=ADMIN)
    members.filter(user_id=user_id).update(role=role)


def _finish(group: Group, *, is_new: bool) -> int:
    # Counted anew: the rows of users who were deleted are gone without a change.
    group.member_count = Member.objects.filter(group=group, to_sequence=None).count()
    if group.member_count == 0:
        group.deleted_at = timezone.now()
    group.version = 1 if is_new else group.version + 1
    group.is_polled = group.member_count > settings.GROUP_PUSH_LIMIT
    group.save()
    return group.version
