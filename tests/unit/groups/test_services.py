"""What is asked of groups is checked, stands on the log, and is answered when it is in force."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.errors import InvalidInputError, LimitReachedError, NotFoundError
from apps.accounts.models import Block, User
from apps.connections.control import CONTROL_KEY
from apps.groups import services, validation
from apps.groups.changes import MODERATOR
from apps.groups.errors import ChangePending, ChangeRefused
from apps.groups.kinds import Kind
from apps.groups.models import Change, Group, Invite, Member
from apps.groups.selectors import get_group, get_invite, list_invites
from apps.groups.services import submission
from apps.groups.services.invites import DAY, DEFAULT_SECONDS, HOUR, LONGEST_SECONDS
from apps.groups.services.mutes import FOREVER
from apps.messagelog.base import LogUnavailable
from apps.valkey.pools import sync_client
from tests.unit.groups.immediate_log import ImmediateLog

NOBODY = "usr-000000000000"
PICTURE = "med-" + "0" * 32


def refusal(call: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    """The code with which a call is refused."""
    with pytest.raises(ChangeRefused) as refused:
        call(*arguments, **options)
    return refused.value.code


def bad_fields(call: Callable[..., Any], *arguments: Any, **options: Any) -> dict[str, list[str]]:
    """The fields that a call does not take."""
    with pytest.raises(InvalidInputError) as refused:
        call(*arguments, **options)
    return refused.value.fields


def roles(group_id: str) -> dict[str, str]:
    """Who is a member now."""
    return dict(Member.objects.filter(group_id=group_id, to_sequence=None).values_list("user_id", "role"))


@pytest.fixture
def club(log: ImmediateLog, ada: str, bob: str) -> str:
    """Return the id of a group that ada owns and bob is in."""
    group_id = services.create_group(ada, "Chess", [bob])
    log.records.clear()
    return group_id


class TestSubmission:
    """From asking to the answer."""

    def test_a_change_is_answered_when_it_is_in_force(self, club: str, ada: str) -> None:
        outcome = services.submit_change(Kind.RENAMED, club, by=ada, details={"name": "Go"})
        assert (outcome.refusal, outcome.version) == ("", 2)

    def test_what_is_surely_refused_is_not_appended(self, club: str, log: ImmediateLog, bob: str) -> None:
        assert refusal(services.submit_change, Kind.DELETED, club, by=bob) == "forbidden"
        assert log.records == []

    def test_the_relay_has_the_last_word(self, club: str, log: ImmediateLog, ada: str, bob: str) -> None:
        log.meanwhile = lambda: services.change_role(club, ada, bob, "owner")
        assert refusal(services.submit_change, Kind.DELETED, club, by=ada) == "forbidden"
        assert log.kinds() == ["role", "deleted"]

    def test_one_that_is_late_is_pending_and_named(
        self, club: str, log: ImmediateLog, ada: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(submission, "WAIT_SECONDS", 0.05)
        log.is_held = True
        with pytest.raises(ChangePending) as pending:
            services.update_group(club, ada, name="Go", description="Mondays")
        assert log.kinds() == ["renamed", "described"]
        assert (pending.value.group_id, pending.value.event_id) == (club, log.records[-1].event_id)
        log.relay()
        assert Change.objects.filter(pk=pending.value.event_id, refusal="").exists()

    def test_it_is_looked_for_again_and_again(
        self, club: str, log: ImmediateLog, ada: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log.is_held = True
        naps: list[float] = []

        def sleep(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 6:
                log.relay()

        monkeypatch.setattr(submission.time, "sleep", sleep)
        services.update_group(club, ada, name="Go")
        assert naps == [0.02, 0.04, 0.08, 0.16, 0.25, 0.25]

    def test_a_log_that_is_down_is_told(self, club: str, log: ImmediateLog, ada: str) -> None:
        log.is_down = True
        with pytest.raises(LogUnavailable):
            services.delete_group(club, ada)


class TestCreation:
    """A new group."""

    def test_it_has_what_was_given(self, log: ImmediateLog, ada: str, bob: str) -> None:
        group_id = services.create_group(ada, "  Chess ", [bob, ada, bob], description=" a\r\nb ", picture=PICTURE)
        group, _ = get_group(group_id, ada)
        assert (group.name, group.description, group.picture) == ("Chess", "a\nb", PICTURE)
        assert roles(group_id) == {ada: "owner", bob: "member"}

    def test_it_may_begin_with_its_owner_alone(self, log: ImmediateLog, ada: str) -> None:
        assert roles(services.create_group(ada, "Notes", [])) == {ada: "owner"}

    @pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "nul\0", "over\u202eride", "line\u2028sep"])
    def test_a_name_is_checked_as_display_names_are(self, log: ImmediateLog, ada: str, name: str) -> None:
        assert set(bad_fields(services.create_group, ada, name, [])) == {"name"}

    @pytest.mark.parametrize("description", ["x" * 501, "nul\0", "over\u202eride", "a\rb"])
    def test_a_description_may_have_lines_but_nothing_that_forges(
        self, log: ImmediateLog, ada: str, description: str
    ) -> None:
        assert set(bad_fields(services.create_group, ada, "Chess", [], description=description)) == {"description"}

    @pytest.mark.parametrize("picture", ["x", "https://example.com/a.png", "med-1", PICTURE + "\n"])
    def test_a_picture_is_a_medium(self, log: ImmediateLog, ada: str, picture: str) -> None:
        assert set(bad_fields(services.create_group, ada, "Chess", [], picture=picture)) == {"picture"}

    def test_who_does_not_exist_or_is_suspended_is_named(self, log: ImmediateLog, ada: str, bob: str, eve: str) -> None:
        User.objects.filter(pk=eve).update(is_active=False)
        [reasons] = bad_fields(services.create_group, ada, "Chess", [bob, NOBODY, eve, "no id"]).values()
        assert [NOBODY in reasons[0], eve in reasons[1], "no id" in reasons[2]] == [True] * 3
        assert log.records == []

    def test_who_has_blocked_the_owner_is_named(self, log: ImmediateLog, ada: str, bob: str, eve: str) -> None:
        Block.objects.create(owner_id=bob, person_id=ada)
        with pytest.raises(ChangeRefused) as refused:
            services.create_group(ada, "Chess", [bob, eve])
        assert refused.value.code == "forbidden"
        [reason] = refused.value.fields["members"]
        assert bob in reason
        assert services.create_group(bob, "Chess", [ada]), "the other way it is no harm"

    def test_five_hundred_are_named_at_once_at_most(self, log: ImmediateLog, ada: str) -> None:
        assert set(bad_fields(services.create_group, ada, "Chess", [str(one) for one in range(501)])) == {"members"}

    def test_nobody_is_in_more_groups_than_anybody_may_be(
        self, log: ImmediateLog, ada: str, bob: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validation, "MAX_GROUPS", 2)
        first = services.create_group(ada, "One", [bob])
        services.create_group(ada, "Two", [])
        with pytest.raises(LimitReachedError) as reached:
            services.create_group(ada, "Three", [])
        assert reached.value.code == "too_many_groups"
        with pytest.raises(ChangeRefused) as refused:
            services.create_group(bob, "Three", [ada])
        assert ada in refused.value.fields["members"][0]
        services.delete_group(first, ada)
        services.create_group(bob, "Three", [ada])


class TestChanges:
    """What is said of a group, and its end."""

    def test_only_what_really_changes_is_a_change(self, club: str, log: ImmediateLog, ada: str) -> None:
        services.update_group(club, ada)
        services.update_group(club, ada, name=" Chess ", description="", only_admins_write=False, slow_mode_seconds=0)
        assert log.records == []
        services.update_group(
            club, ada, name="Go", description="x", picture=PICTURE, only_admins_write=False, slow_mode_seconds=5
        )
        assert log.kinds() == ["renamed", "described", "pictured", "rules"]
        assert log.records[-1].details == {"slow_mode_seconds": 5}
        services.update_group(club, ada, picture="", only_admins_write=True)
        group, _ = get_group(club, ada)
        assert (group.name, group.description, group.picture) == ("Go", "x", "")
        assert (group.only_admins_write, group.slow_mode_seconds, group.version) == (True, 5, 7)

    def test_a_member_may_not_even_change_nothing(self, club: str, bob: str, eve: str) -> None:
        assert refusal(services.update_group, club, bob, name="Chess") == "forbidden"
        with pytest.raises(NotFoundError):
            services.update_group(club, eve, name="Chess")

    @pytest.mark.parametrize(
        "given", [{"name": ""}, {"description": "x" * 501}, {"picture": "x"}, {"slow_mode_seconds": 3601}]
    )
    def test_what_cannot_be_taken_is_named(self, club: str, ada: str, given: dict[str, Any]) -> None:
        assert set(bad_fields(services.update_group, club, ada, **given)) == set(given)

    def test_slow_mode_is_not_negative(self, club: str, ada: str) -> None:
        assert set(bad_fields(services.update_group, club, ada, slow_mode_seconds=-1)) == {"slow_mode_seconds"}

    def test_one_of_several_that_is_refused_is_told(self, club: str, log: ImmediateLog, ada: str, bob: str) -> None:
        services.change_role(club, ada, bob, "admin")
        log.meanwhile = lambda: services.remove_member(club, ada, bob)
        assert refusal(services.update_group, club, bob, name="Go", description="x") == "not_a_member"
        assert log.kinds() == ["role", "removed", "renamed", "described"]

    def test_a_group_ends_by_its_owner(self, club: str, ada: str, bob: str, eve: str) -> None:
        assert refusal(services.delete_group, club, bob) == "forbidden"
        with pytest.raises(NotFoundError):
            services.delete_group(club, eve)
        services.delete_group(club, ada)
        with pytest.raises(NotFoundError):
            get_group(club, ada)

    def test_a_frozen_group_says_so(self, club: str, ada: str, eve: str) -> None:
        services.submit_change(Kind.FROZEN, club, by=MODERATOR, details={"reason": "spam"})
        assert refusal(services.update_group, club, ada, name="Go") == "frozen"
        assert refusal(services.add_members, club, ada, [eve]) == "frozen"


class TestMembership:
    """Who is in a group, and as what."""

    def test_members_are_added_once(self, club: str, ada: str, bob: str, eve: str) -> None:
        assert services.add_members(club, ada, [bob, eve, eve]).user_ids == (eve,)
        assert refusal(services.add_members, club, ada, [bob, eve]) == "conflict"
        assert refusal(services.add_members, club, bob, [eve]) == "forbidden"

    def test_who_is_in_it_already_may_have_blocked_who_adds_others(
        self, club: str, ada: str, bob: str, eve: str
    ) -> None:
        Block.objects.create(owner_id=bob, person_id=ada)
        assert services.add_members(club, ada, [bob, eve]).user_ids == (eve,)
        services.remove_member(club, ada, bob)
        with pytest.raises(ChangeRefused) as refused:
            services.add_members(club, ada, [bob])
        assert (refused.value.code, set(refused.value.fields)) == ("forbidden", {"user_ids"})

    def test_unknown_people_are_named(self, club: str, ada: str) -> None:
        assert set(bad_fields(services.add_members, club, ada, [NOBODY])) == {"user_ids"}
        assert set(bad_fields(services.add_members, club, ada, [str(one) for one in range(501)])) == {"user_ids"}

    def test_members_are_removed_by_whoever_stands_above_them(self, club: str, ada: str, bob: str, eve: str) -> None:
        assert refusal(services.remove_member, club, bob, ada) == "forbidden"
        assert refusal(services.remove_member, club, ada, eve) == "not_found"
        services.remove_member(club, ada, bob)
        assert roles(club) == {ada: "owner"}

    def test_members_leave_and_the_owner_hands_over_before(self, club: str, ada: str, bob: str) -> None:
        assert refusal(services.leave_group, club, ada) == "owner_must_hand_over"
        services.change_role(club, ada, bob, "owner")
        assert roles(club) == {ada: "admin", bob: "owner"}
        services.leave_group(club, ada)
        with pytest.raises(NotFoundError):
            services.leave_group(club, ada)
        services.leave_group(club, bob)
        assert Group.objects.get(pk=club).deleted_at is not None

    def test_only_the_owner_gives_roles(self, club: str, ada: str, bob: str, eve: str) -> None:
        assert refusal(services.change_role, club, bob, ada, "member") == "forbidden"
        assert refusal(services.change_role, club, ada, bob, "member") == "conflict"
        with pytest.raises(NotFoundError):
            services.change_role(club, eve, bob, "admin")

    def test_strangers_find_no_group(self, club: str, bob: str, eve: str) -> None:
        for call in (services.add_members, services.remove_member):
            with pytest.raises(NotFoundError):
                call(club, eve, bob)


class TestInvites:
    """Links into a group."""

    def test_the_token_is_stored_as_a_hash_and_leads_in(self, club: str, ada: str, eve: str) -> None:
        invite, token = services.create_invite(club, ada)
        assert token not in str(vars(Invite.objects.get()))
        seconds = (invite.expires_at - timezone.now()).total_seconds()
        assert DEFAULT_SECONDS - 60 < seconds <= DEFAULT_SECONDS == 7 * DAY
        assert services.join_by_invite(token, eve) == club
        assert roles(club)[eve] == "member"
        assert refusal(services.join_by_invite, token, eve) == "conflict"

    def test_it_leads_in_more_than_one(self, club: str, ada: str, eve: str, user: Callable[[str], str]) -> None:
        _, token = services.create_invite(club, ada, expires_in=HOUR)
        for one in (eve, user("carol")):
            services.join_by_invite(token, one)
        assert len(roles(club)) == 4

    def test_one_that_is_revoked_run_out_or_of_a_deleted_group_leads_nowhere(
        self, club: str, ada: str, eve: str
    ) -> None:
        (revoked, first), (late, second), (_, third) = [services.create_invite(club, ada) for _ in range(3)]
        services.revoke_invite(club, ada, revoked.pk)
        Invite.objects.filter(pk=late.pk).update(expires_at=timezone.now())
        assert get_invite(third).group_id == club
        services.delete_group(club, ada)
        for token in (first, second, third, "unknown"):
            assert refusal(services.join_by_invite, token, eve) == "invite_invalid"

    def test_only_those_who_look_after_the_group_make_and_revoke_invites(
        self, club: str, ada: str, bob: str, eve: str
    ) -> None:
        invite, _ = services.create_invite(club, ada)
        assert refusal(services.create_invite, club, bob) == "forbidden"
        assert refusal(services.revoke_invite, club, bob, invite.pk) == "forbidden"
        for call in (services.create_invite, lambda *who: services.revoke_invite(*who, invite.pk)):
            with pytest.raises(NotFoundError):
                call(club, eve)
        services.change_role(club, ada, bob, "admin")
        services.revoke_invite(club, bob, invite.pk)
        with pytest.raises(NotFoundError):
            services.revoke_invite(club, bob, invite.pk)

    def test_an_invite_of_another_group_is_not_found(self, club: str, ada: str, eve: str) -> None:
        invite, _ = services.create_invite(services.create_group(eve, "Go", []), eve)
        with pytest.raises(NotFoundError):
            services.revoke_invite(club, ada, invite.pk)

    @pytest.mark.parametrize("seconds", [HOUR - 1, LONGEST_SECONDS + 1, 0, -HOUR])
    def test_it_lasts_from_an_hour_to_thirty_days(self, club: str, ada: str, seconds: int) -> None:
        assert set(bad_fields(services.create_invite, club, ada, expires_in=seconds)) == {"expires_in"}

    def test_a_group_has_so_many_live_invites_and_no_more(
        self, club: str, ada: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("apps.groups.services.invites.MAX_INVITES", 2)
        first, _ = services.create_invite(club, ada)
        second, _ = services.create_invite(club, ada)
        assert [one.pk for one in list_invites(club)] == [first.pk, second.pk]
        with pytest.raises(LimitReachedError) as reached:
            services.create_invite(club, ada)
        assert reached.value.code == "too_many_invites"
        services.revoke_invite(club, ada, first.pk)
        services.create_invite(club, ada)

    def test_who_is_in_as_many_groups_as_anybody_may_be_joins_none(
        self, club: str, ada: str, bob: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validation, "MAX_GROUPS", 1)
        _, token = services.create_invite(club, ada)
        with pytest.raises(LimitReachedError):
            services.join_by_invite(token, bob)


@pytest.mark.django_db(transaction=True)
class TestMutes:
    """No notifications of a group."""

    def test_a_group_is_muted_for_one_member_and_the_other_devices_are_told(
        self, club: str, ada: str, bob: str, cache_valkey: str
    ) -> None:
        until = timezone.now() + timedelta(hours=8)
        services.mute_group(club, bob, device_id="dev-1", until=until)
        assert get_group(club, bob)[1].muted_until == until
        assert get_group(club, ada)[1].muted_until is None
        services.mute_group(club, bob, device_id="dev-1")
        assert get_group(club, bob)[1].muted_until == FOREVER
        services.unmute_group(club, bob, device_id="dev-1")
        assert get_group(club, bob)[1].muted_until is None
        events = [entry for _, entry in sync_client(cache_valkey).xrange(CONTROL_KEY)]
        told = [(one["user"], one["devices"]) for one in events if one["kind"] == "settings_changed"]
        assert told == [(bob, "dev-1")] * 3

    @pytest.mark.parametrize("until", [datetime(2020, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
    def test_a_time_that_is_over_or_never_comes_is_refused(self, club: str, bob: str, until: datetime) -> None:
        assert set(bad_fields(services.mute_group, club, bob, device_id="dev-1", until=until)) == {"until_ms"}

    def test_strangers_mute_nothing(self, club: str, eve: str) -> None:
        with pytest.raises(NotFoundError):
            services.mute_group(club, eve, device_id="dev-1")
        with pytest.raises(NotFoundError):
            services.unmute_group(club, eve, device_id="dev-1")
