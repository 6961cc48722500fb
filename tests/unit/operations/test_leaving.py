"""Deleting and exporting somebody who is in groups: members see the user go, and no words of theirs stay."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.errors import InvalidInputError
from apps.accounts.models import AccountErasure, User
from apps.accounts.services import suspend_user, update_settings
from apps.groups.changes import MODERATOR
from apps.groups.errors import ChangePending, ChangeRefused
from apps.groups.models import Group, Member
from apps.groups.polled_messages import PageRequest, PolledMessage, fill, read_page
from apps.groups.services import add_members, change_role, create_group, join_by_invite, leave_group, mute_group
from apps.groups.services.invites import create_invite
from apps.messagelog.base import Entry, LogUnavailable
from apps.operations import leaving
from apps.operations.erasure import carry_out_account_erasures
from apps.operations.leaving import find_heir, leave_groups
from apps.protocol.records import GroupChangeSubmitted, decode_record
from tests.unit.group_world import Circle

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


class RelayedLog:
    """Stands in the place of a MessageLog: the relay has at once what is appended. ``meanwhile`` is called before."""

    def __init__(self, circle: Circle) -> None:
        self.circle = circle
        self.records: list[GroupChangeSubmitted] = []
        self.meanwhile: Callable[[], object] | None = None
        self.is_down = False
        self.is_held = False

    def append(self, entries: Sequence[Entry]) -> None:
        if self.is_down:
            raise LogUnavailable("down")
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        for entry in entries:
            record = decode_record(entry.payload)
            assert isinstance(record, GroupChangeSubmitted)
            self.records.append(record)
            if not self.is_held:
                self.circle.relay(record)

    def changes(self) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(record.kind, record.by, record.user_ids) for record in self.records]


@pytest.fixture
def log(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> RelayedLog:
    log = RelayedLog(circle)
    monkeypatch.setattr("apps.groups.services.submission.get_message_log", lambda: log)
    monkeypatch.setattr("apps.groups.services.submission.WAIT_SECONDS", 0.05)
    return log


def run(*arguments: object) -> Any:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def roles(circle: Circle) -> dict[str, str]:
    members = Member.objects.filter(group_id=circle.group_id, to_sequence=None)
    return dict(members.values_list("user_id", "role"))


# -- Leaving ---------------------------------------------------------------------------------------------------------


def test_a_member_who_is_deleted_leaves_in_everybodys_eyes(circle: Circle, log: RelayedLog) -> None:
    run("delete_user", "bob", "--yes", "--json")
    assert log.changes() == [("left", circle.bob, (circle.bob,))]
    assert not User.objects.filter(pk=circle.bob).exists()
    assert circle.fan_out() == 1, "the row of the event outlives what its sender is erased from"
    assert circle.events(circle.cyd1) == ["left"]
    assert Group.objects.get(pk=circle.group_id).member_count == 2


def test_an_owner_hands_over_before_to_whoever_is_there_longest(circle: Circle, log: RelayedLog) -> None:
    run("delete_user", "ada", "--yes", "--json")
    assert log.changes() == [("role", MODERATOR, (circle.bob,)), ("left", circle.ada, (circle.ada,))]
    assert roles(circle) == {circle.bob: "owner", circle.cyd: "member"}
    circle.fan_out()
    assert circle.events(circle.bob1) == ["role", "left"]


def test_an_admin_comes_before_a_member_and_who_is_suspended_last(circle: Circle, log: RelayedLog) -> None:
    add_members(circle.group_id, circle.ada, [circle.dee])
    assert find_heir(circle.group_id, circle.ada) == circle.bob
    change_role(circle.group_id, circle.ada, circle.dee, "admin")
    assert find_heir(circle.group_id, circle.ada) == circle.dee
    suspend_user(circle.dee)
    assert find_heir(circle.group_id, circle.ada) == circle.bob
    for user_id in (circle.bob, circle.cyd):
        leave_group(circle.group_id, user_id)
    assert find_heir(circle.group_id, circle.ada) == circle.dee
    leave_group(circle.group_id, circle.dee)
    assert find_heir(circle.group_id, circle.ada) is None


def test_a_group_of_one_ends(circle: Circle, log: RelayedLog) -> None:
    for user_id in (circle.bob, circle.cyd):
        leave_group(circle.group_id, user_id)
    run("delete_user", "ada", "--yes", "--json")
    assert Group.objects.get(pk=circle.group_id).deleted_at is not None


def test_a_group_whose_other_members_are_gone_without_a_change_ends_too(circle: Circle, log: RelayedLog) -> None:
    User.objects.filter(pk__in=[circle.bob, circle.cyd]).delete()
    assert leave_groups(circle.ada) == 1
    assert [kind for kind, _, _ in log.changes()] == ["deleted"], "that the count is wrong is seen before the log is"
    assert Group.objects.get(pk=circle.group_id).deleted_at is not None


def test_an_heir_who_goes_meanwhile_is_not_the_owner(circle: Circle, log: RelayedLog) -> None:
    log.meanwhile = lambda: leave_group(circle.group_id, circle.bob)
    leave_groups(circle.ada)
    assert roles(circle) == {circle.cyd: "owner"}


def test_one_who_joins_the_last_meanwhile_gets_the_group(circle: Circle, log: RelayedLog) -> None:
    for user_id in (circle.bob, circle.cyd):
        leave_group(circle.group_id, user_id)
    _, token = create_invite(circle.group_id, circle.ada)
    log.meanwhile = lambda: join_by_invite(token, circle.dee)
    leave_groups(circle.ada)
    assert roles(circle) == {circle.dee: "owner"}


def test_it_is_not_tried_for_ever(circle: Circle, log: RelayedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def refuse(kind: str, *_: object, **__: object) -> None:
        tries.append(kind)
        raise ChangeRefused("forbidden")

    monkeypatch.setattr(leaving, "submit_change", refuse)
    with pytest.raises(ChangeRefused):
        leave_groups(circle.bob)
    assert len(tries) == leaving.TRIES


# -- What is in the way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trouble", "failure"), [("is_down", LogUnavailable), ("is_held", ChangePending)])
def test_who_cannot_leave_yet_is_closed_at_once_and_deleted_later(
    circle: Circle, log: RelayedLog, trouble: str, failure: type[Exception]
) -> None:
    circle.relay(circle.by_bob(1))
    setattr(log, trouble, True)
    with pytest.raises(CommandError, match=rf"account is closed.*Celery deletes the rest.*delete_user {circle.bob}"):
        run("delete_user", "bob", "--yes", "--json")
    bob = User.objects.get(pk=circle.bob)
    assert (bob.is_active, bob.devices.count()) == (False, 0)
    rest = run("delete_user", circle.bob, "--dry-run", "--json")["would_delete"]
    assert (rest["groups"], rest["messages"]) == (1, 1)
    with pytest.raises(failure):
        carry_out_account_erasures()
    assert circle.store.personal_data.count_messages(circle.bob) == 0, "no message waits for the log"
    assert AccountErasure.objects.get().carried_out_at is None
    setattr(log, trouble, False)
    carry_out_account_erasures()
    assert not User.objects.filter(pk=circle.bob).exists()
    assert circle.bob not in roles(circle)
    assert AccountErasure.objects.get().carried_out_at is not None


def test_a_late_relay_is_waited_for_once_a_round(circle: Circle, log: RelayedLog) -> None:
    log.is_held = True
    for name in ("bob", "cyd"):
        with pytest.raises(CommandError, match="account is closed"):
            run("delete_user", name, "--yes", "--json")
    log.records.clear()
    with pytest.raises(ChangePending):
        carry_out_account_erasures()
    assert [record.by for record in log.records] == [circle.bob]


def test_nobody_adds_one_whose_account_is_closed(circle: Circle, log: RelayedLog) -> None:
    log.is_down = True
    with pytest.raises(CommandError, match="account is closed"):
        run("delete_user", "bob", "--yes", "--json")
    log.is_down = False
    other = create_group(circle.ada, "Chess", [])
    with pytest.raises(InvalidInputError):
        add_members(other, circle.ada, [circle.bob])


def test_deleting_by_id_goes_on_where_it_was_cut_off(circle: Circle, log: RelayedLog) -> None:
    log.is_down = True
    with pytest.raises(CommandError, match="account is closed"):
        run("delete_user", "bob", "--yes", "--json")
    with pytest.raises(CommandError, match="account is closed"):
        run("delete_user", circle.bob, "--json", "--yes")
    log.is_down = False
    run("delete_user", circle.bob, "--json", "--yes")
    assert not User.objects.filter(pk=circle.bob).exists()


# -- What was written --------------------------------------------------------------------------------------------------


def polled(number: int, text: str) -> PolledMessage:
    now_ms = int(time.time() * 1000)
    return PolledMessage(group_id="grp-0123456789ab", sequence=number, timestamp_ms=now_ms, text=text)


def request_all(circle: Circle) -> PageRequest:
    return PageRequest(group_id=circle.group_id, after=0, since_ms=0, limit=100)


def test_no_deleted_words_stay_in_the_cache_of_a_polled_group(circle: Circle, log: RelayedLog) -> None:
    fill(circle.group_id, [polled(1, "from bob"), polled(2, "from ada")], whole=True)
    other = "grp-00000000000f"
    fill(other, [], whole=True)
    assert read_page(request_all(circle)).texts
    run("delete_user", "bob", "--yes", "--json")
    miss = read_page(request_all(circle))
    assert miss.state == "miss"
    assert read_page(PageRequest(group_id=other, after=0, since_ms=0, limit=9)).state == "page", "not of other groups"
    assert not fill(circle.group_id, [polled(1, "from bob")], whole=True), "whoever has read it before"
    assert read_page(request_all(circle)).state == "miss"
    assert fill(circle.group_id, [polled(2, "from ada")], whole=True, drops=miss.drops)
    assert read_page(request_all(circle)).texts == ("from ada",)


def test_what_a_batch_under_way_put_into_the_cache_is_dropped_too(circle: Circle, log: RelayedLog) -> None:
    leave_group(circle.group_id, circle.bob)
    run("delete_user", "bob", "--yes", "--json")
    miss = read_page(request_all(circle))
    fill(circle.group_id, [polled(1, "from bob")], whole=True, drops=miss.drops)
    AccountErasure.objects.update(carried_out_at=None)
    carry_out_account_erasures()
    assert read_page(request_all(circle)).state == "miss", "the order knows the groups when the rows are gone"


def test_messages_to_groups_and_pointers_go_and_those_of_others_stay(circle: Circle, log: RelayedLog) -> None:
    circle.relay(circle.by_bob(1), circle.message(2))
    circle.fan_out()
    circle.confirm(circle.bob, circle.bob1, 2)
    receipt = run("delete_user", "bob", "--yes", "--json")
    assert receipt["deleted"]["messages"] == 1
    assert receipt["deleted"]["memberships"] == 1
    assert set(circle.store.list_bodies([f"msg-{1:016x}", f"msg-{2:016x}"])) == {f"msg-{2:016x}"}
    assert circle.store.groups.list_pointers([circle.group_id], [circle.bob]) == []
    assert circle.store.groups.list_pointers([circle.group_id], [circle.cyd]) != []


def test_what_only_a_deleted_user_still_kept_of_a_group_is_gone_at_once(circle: Circle, log: RelayedLog) -> None:
    update_settings(circle.cyd, device_id=circle.cyd1, history_days=90)
    circle.send(1)
    update_settings(circle.bob, device_id=circle.bob1, history_days=90)
    circle.send(2)
    for user_id, device_id in (
        (circle.ada, circle.ada2),
        (circle.bob, circle.bob1),
        (circle.bob, circle.bob2),
        (circle.cyd, circle.cyd1),
    ):
        circle.confirm(user_id, device_id, 1, 2)
    circle.count()
    both = [f"msg-{1:016x}", f"msg-{2:016x}"]
    assert set(circle.store.list_bodies(both)) == set(both)
    run("delete_user", "cyd", "--yes", "--json")
    assert set(circle.store.list_bodies(both)) == {both[1]}
    traces = [circle.store.trace(one) for one in both]
    assert [one.history_for for one in traces] == [(), (circle.bob,)]
    assert traces[0].stripped_at_ms is not None


def test_an_export_tells_memberships_mutes_and_what_was_sent_to_groups(
    circle: Circle, log: RelayedLog, tmp_path: Path
) -> None:
    circle.relay(circle.by_bob(1, content="to all of you"), circle.message(2, content="from ada"))
    mute_group(circle.group_id, circle.bob, device_id=circle.bob1)
    leave_group(circle.group_id, circle.bob)
    add_members(circle.group_id, circle.ada, [circle.bob])
    path = tmp_path / "bob.zip"
    counts = run("export_user", "bob", "--out", path, "--json")
    assert (counts["memberships"], counts["messages"]) == (2, 1)
    with zipfile.ZipFile(path) as archive:
        before, now = json.loads(archive.read("groups.json"))
        [message] = [json.loads(line) for line in archive.read("messages.jsonl").splitlines()]
    assert (before["group_id"], before["name"], before["role"]) == (circle.group_id, "Circle", "member")
    assert (before["member_now"], now["member_now"]) == (False, True)
    assert before["joined_at"] <= before["left_at"] <= now["joined_at"]
    assert now["left_at"] is None
    assert (before["muted_until"], now["muted_until"]) == ("9999-12-31T00:00:00+00:00", None)
    assert (message["group_id"], message["receiver_id"], message["content"]) == (circle.group_id, None, "to all of you")
