"""Reads of groups. Nothing here writes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from apps.accounts.credentials import hash_secret
from apps.accounts.errors import NotFoundError
from apps.accounts.models import Block, User
from apps.groups.errors import ChangeRefused
from apps.groups.models import Change, Group, Invite, Member
from apps.groups.rules import may_manage


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A user's time in a group: what stands in the log after ``from_sequence`` and before ``to_sequence`` (None: it
    goes on) is for them.
    """

    user_id: str
    from_sequence: int
    to_sequence: int | None

    @property
    def ends(self) -> tuple[int, ...]:
        """The places of the events that begin and end it."""
        return (self.from_sequence,) if self.to_sequence is None else (self.from_sequence, self.to_sequence)

    def covers(self, sequence: int) -> bool:
        """Whether a message of this sequence is for them."""
        return self.from_sequence < sequence and (self.to_sequence is None or sequence < self.to_sequence)

    def reaches(self, sequence: int) -> bool:
        """Whether anything of this sequence or a higher one is for them, events that end the membership too."""
        return self.to_sequence is None or sequence <= self.to_sequence

    def sees(self, sequence: int) -> bool:
        """Whether an event of this sequence is for them: the ones that begin and end the membership are."""
        return self.from_sequence <= sequence and (self.to_sequence is None or sequence <= self.to_sequence)


def get_group(group_id: str, user_id: str) -> tuple[Group, Member]:
    """A group and the user's membership now. Raises NotFoundError, also for whoever is no member."""
    members = Member.objects.filter(group_id=group_id, user_id=user_id, to_sequence=None, group__deleted_at=None)
    member = members.select_related("group").first()
    if member is None:
        raise NotFoundError("group")
    return member.group, member


def get_managed_group(group_id: str, user_id: str) -> tuple[Group, Member]:
    """The same for whoever looks after the group. Raises ChangeRefused for other members."""
    group, member = get_group(group_id, user_id)
    if not may_manage(member.role):
        raise ChangeRefused("forbidden")
    return group, member


def list_groups(user_id: str, *, after: int = 0, limit: int) -> list[Member]:
    """The user's memberships now, with their groups, in the order they began, after a row's number."""
    rows = Member.objects.filter(user_id=user_id, to_sequence=None, group__deleted_at=None, pk__gt=after)
    return list(rows.select_related("group").order_by("pk")[:limit])


def list_members(group_id: str, *, after: int = 0, limit: int) -> list[Member]:
    """The group's members now, with their users, in the order they joined, after a row's number."""
    rows = Member.objects.filter(group_id=group_id, to_sequence=None, pk__gt=after)
    return list(rows.select_related("user").order_by("pk")[:limit])


def get_member(group_id: str, user_id: str) -> Member:
    """Somebody's membership now, with the user. Raises NotFoundError."""
    member = Member.objects.filter(group_id=group_id, user_id=user_id, to_sequence=None).select_related("user").first()
    if member is None:
        raise NotFoundError("member")
    return member


def list_spells(group_id: str) -> list[Spell]:
    """Everybody's times in a group, those that ended too."""
    rows = Member.objects.filter(group_id=group_id).values_list("user_id", "from_sequence", "to_sequence")
    return [Spell(user_id=row[0], from_sequence=row[1], to_sequence=row[2]) for row in rows]


def list_spells_of(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Spell]]:
    """The same of these (group, user) only."""
    wanted = set(pairs)
    found: dict[tuple[str, str], list[Spell]] = {}
    if not wanted:
        return found
    group_ids, user_ids = {pair[0] for pair in wanted}, {pair[1] for pair in wanted}
    rows = Member.objects.filter(group_id__in=group_ids, user_id__in=user_ids)
    for group_id, user_id, start, end in rows.values_list("group_id", "user_id", "from_sequence", "to_sequence"):
        if (group_id, user_id) in wanted:
            spell = Spell(user_id=user_id, from_sequence=start, to_sequence=end)
            found.setdefault((group_id, user_id), []).append(spell)
    return found


def list_group_ids(user_id: str) -> list[str]:
    """Groups in which the user is or was a member."""
    return list(Member.objects.filter(user_id=user_id).values_list("group_id", flat=True).distinct())


def list_present_group_ids(user_id: str) -> list[str]:
    """Groups in which the user is a member now."""
    return list(Member.objects.filter(user_id=user_id, to_sequence=None).values_list("group_id", flat=True))


def list_by_id(group_ids: Sequence[str]) -> dict[str, Group]:
    """Groups by id, deleted ones too."""
    return Group.objects.in_bulk(list(group_ids)) if group_ids else {}


def list_roles(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Roles now of these (group, user); whoever is no member is left out."""
    wanted = set(pairs)
    if not wanted:
        return {}
    rows = Member.objects.filter(
        Q(group_id__in={pair[0] for pair in wanted}), Q(user_id__in={pair[1] for pair in wanted}), to_sequence=None
    ).values_list("group_id", "user_id", "role")
    return {(row[0], row[1]): row[2] for row in rows if (row[0], row[1]) in wanted}


def list_keepers(group_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Group → its members now who keep history."""
    rows = Member.objects.filter(group_id__in=list(group_ids), to_sequence=None, user__settings__history_days__gt=0)
    found: dict[str, list[str]] = {}
    for group_id, user_id in rows.values_list("group_id", "user_id"):
        found.setdefault(group_id, []).append(user_id)
    return {group_id: tuple(sorted(users)) for group_id, users in found.items()}


def list_event_ids(group_id: str, sequences: Iterable[int]) -> list[str]:
    """The events at these places of a group, by id."""
    rows = Change.objects.filter(group_id=group_id, sequence__in=list(sequences), refusal="")
    return list(rows.values_list("event_id", flat=True))


def list_settled(event_ids: Sequence[str]) -> dict[str, Change]:
    """What became of changes, by event id; those that are still to come are left out."""
    return Change.objects.in_bulk(list(event_ids)) if event_ids else {}


def get_invite(token: str) -> Invite:
    """The live invite of a token, with its group. Raises ChangeRefused."""
    live = Invite.objects.filter(live_invites(), token_hash=hash_secret(token), group__deleted_at=None)
    invite = live.select_related("group").first()
    if invite is None:
        raise ChangeRefused("invite_invalid")
    return invite


def list_invites(group_id: str) -> list[Invite]:
    """The group's live invites, in the order they were made."""
    return list(Invite.objects.filter(live_invites(), group_id=group_id).order_by("pk"))


def live_invites() -> Q:
    """The condition on Invite that somebody may still join with it."""
    return Q(revoked_at=None, expires_at__gt=timezone.now())


def list_living(user_ids: Iterable[str]) -> set[str]:
    """Those of the users who exist and are not suspended."""
    return set(User.objects.filter(pk__in=list(user_ids), is_active=True).values_list("id", flat=True))


def list_blockers(person_id: str, user_ids: Iterable[str]) -> set[str]:
    """Those of the users who have blocked somebody."""
    return set(Block.objects.filter(owner__in=list(user_ids), person_id=person_id).values_list("owner_id", flat=True))


def list_crowded(user_ids: Iterable[str], most: int) -> set[str]:
    """Those of the users who are in so many groups, or more."""
    rows = (
        Member.objects.filter(user__in=list(user_ids), to_sequence=None).values("user_id").annotate(groups=Count("pk"))
    )
    return set(rows.filter(groups__gte=most).values_list("user_id", flat=True))
