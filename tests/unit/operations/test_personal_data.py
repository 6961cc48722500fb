"""Exporting and deleting one person: everything, and nothing of anybody else's."""

import errno
import io
import json
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.accounts.models import AccountErasure, Contact, Reputation, User
from apps.accounts.services import block_user, log_in_device
from apps.messagelog.base import LogRecord
from apps.messagestore.base import NewMessage, Pointer, StoreUnavailable
from apps.messagestore.orm_personal_data import OrmPersonalData
from apps.messagestore.store import get_message_store
from apps.moderation.audit import Operator
from apps.moderation.models import AuditEntry, Report, WarningNote
from apps.moderation.services import report_spammer, report_user, suspend, take_report, warn_reported
from apps.operations import erasure
from apps.operations.erasure import carry_out_account_erasures
from apps.protocol.ids import conversation_id
from apps.protocol.records import MessageSubmitted, encode_record
from apps.spam.runner import score_records
from apps.spam.tracking import track_messages
from apps.valkey.pools import ValkeyError, sync_client
from apps.valkey.sync_keyspace import SyncKeyspace

NOW = int(time.time() * 1000)

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


@pytest.fixture
def people(inbox_valkey: SyncKeyspace) -> tuple[User, User, User]:
    """Three users with a device each."""
    made = tuple(User.objects.create_user(name) for name in ("ada", "bob", "eve"))
    for user in made:
        log_in_device(user, "laptop")
    return made  # type: ignore[return-value]


def write(number: int, sender: User, receiver: User, *, history_for: tuple[str, ...] = ()) -> None:
    message = NewMessage(
        message_id=f"msg-{number:016x}",
        sender_id=sender.pk,
        sender_device=sender.devices.get().pk,
        client_id=f"i{number}",
        digest=str(number),
        receiver_id=receiver.pk,
        conversation_id=conversation_id(sender.pk, receiver.pk),
        sequence=number,
        content=f"text {number}",
        envelope=None,
        media=None,
        reply_to=None,
        timestamp_ms=NOW,
        sent_at_ms=NOW,
        pending_devices=(receiver.devices.get().pk,),
        own_devices=(),
        history_for=history_for,
        refusal="",
    )
    get_message_store().insert_absent([message], NOW)


def confirm(number: int, receiver: User) -> None:
    from apps.messagestore.base import Confirmation

    device_id = receiver.devices.get().pk
    get_message_store().confirm(
        [
            Confirmation(
                message_id=f"msg-{number:016x}",
                user_id=receiver.pk,
                device_id=device_id,
                by_receiver=True,
                at_ms=NOW,
            )
        ]
    )


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_an_export_holds_everything_and_only_what_the_user_may_read(people, tmp_path: Path) -> None:
    ada, bob, eve = people
    Contact.objects.create(owner=ada, person=bob)
    block_user(ada.pk, eve.pk)
    write(1, ada, bob)
    write(2, bob, ada)
    write(3, bob, ada, history_for=(bob.pk,))
    confirm(3, ada)
    write(4, bob, eve)
    get_message_store().raise_pointers(
        [Pointer(conversation_id="c", reader_id=ada.pk, peer_id=bob.pk, message_id="m", sequence=1, read_at_ms=NOW)]
    )
    path = tmp_path / "ada.zip"
    counts = json.loads(run("export_user", "ada", "--out", path, "--json"))
    assert counts == {
        "file": str(path),
        "devices": 1,
        "contacts": 1,
        "blocks": 1,
        "memberships": 0,
        "messages": 3,
        "read_pointers": 1,
        "reports": 0,
        "reports_about": 0,
        "warnings": 0,
    }
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        messages = [json.loads(line) for line in archive.read("messages.jsonl").splitlines()]
        assert json.loads(archive.read("profile.json"))["username"] == "ada"
        assert [row["username"] for row in json.loads(archive.read("blocks.json"))] == ["eve"]
    assert [(one["message_id"][-1], one.get("content")) for one in messages] == [
        ("1", "text 1"),
        ("2", "text 2"),
        ("3", None),  # only bob keeps it
    ]


def test_an_export_writes_over_nothing_and_a_dry_run_writes_nothing(people, tmp_path: Path) -> None:
    path = tmp_path / "ada.zip"
    run("export_user", "ada", "--out", path, "--dry-run")
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(CommandError, match="there already"):
        run("export_user", "ada", "--out", path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (StoreUnavailable("down"), "does not answer"),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot be written"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_half_an_export_is_not_left_behind(
    people, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, expected: str
) -> None:
    def fail(*_: object) -> None:
        assert [path.name for path in tmp_path.iterdir()] != ["ada.zip"], "it gets its name when it is complete"
        raise failure

    monkeypatch.setattr(OrmPersonalData, "list_messages", fail)
    with pytest.raises(CommandError, match=expected):
        run("export_user", "ada", "--out", tmp_path / "ada.zip")
    assert list(tmp_path.iterdir()) == []


def test_deleting_leaves_nothing_anywhere_and_nothing_of_others_goes(people, inbox_valkey: SyncKeyspace) -> None:
    ada, bob, eve = people
    write(1, ada, bob, history_for=(bob.pk,))
    write(2, bob, ada)
    write(3, bob, eve)
    inbox_valkey.execute("SET", f"presence:{{{ada.pk}}}", "1")
    inbox_valkey.execute("SET", f"presence:{{{bob.pk}}}", "1")
    receipt = json.loads(run("delete_user", "ada", "--yes", "--json"))
    assert (receipt["username"], receipt["deleted"]["messages"], receipt["deleted"]["devices"]) == ("ada", 2, 1)
    assert receipt["log_holds_until"] > receipt["at"]
    assert not User.objects.filter(username="ada").exists()
    assert get_message_store().personal_data.list_messages(ada.pk, "", 10) == []
    assert list(inbox_valkey.scan(f"*{ada.pk}*")) == []
    assert list(inbox_valkey.scan(f"*{bob.pk}*")) != []
    assert len(get_message_store().personal_data.list_messages(bob.pk, "", 10)) == 1


@pytest.fixture
def mona(inbox_valkey: SyncKeyspace) -> User:
    """Somebody who moderates."""
    return User.objects.create_user("mona", is_staff=True)


def test_an_export_tells_what_moderation_holds_but_not_who_reported(people, mona: User, tmp_path: Path) -> None:
    ada, bob, eve = people
    report_user(ada.pk, eve.pk, "sells pills", "buy my pills")
    warned = report_user(bob.pk, ada.pk, "shouts", "WHY DO YOU NOT ANSWER")[0]
    report_spammer(ada.pk, points=1.2, reason="wrote to 120 people")
    take_report(mona, warned.pk, "bob sounds upset")
    warn_reported(mona, warned.pk, "please be kind")
    suspend(mona, ada.pk, "three strikes")
    path = tmp_path / "ada.zip"
    counts = json.loads(run("export_user", "ada", "--out", path, "--json"))
    assert (counts["reports"], counts["reports_about"], counts["warnings"]) == (1, 2, 1)
    with zipfile.ZipFile(path) as archive:
        [report] = json.loads(archive.read("reports.json"))
        conduct = json.loads(archive.read("conduct.json"))
        everything = " ".join(archive.read(name).decode() for name in archive.namelist())
    assert (report["reported_user_id"], report["content"]) == (eve.pk, "buy my pills")
    assert conduct["suspension_reason"] == "three strikes"
    assert (conduct["message_limit"]["reason"], conduct["message_limit"]["times_limited"]) == ("wrote to 120 people", 1)
    assert [warning["note"] for warning in conduct["warnings"]] == ["please be kind"]
    about = [(one["by_the_site"], one["reason"], one["outcome"]) for one in conduct["reports_about"]]
    assert about == [(False, None, "warned"), (True, "wrote to 120 people", None)]
    assert [one["action"] for one in conduct["decisions"]] == ["warn user", "suspend"]
    for theirs in ("bob", bob.pk, "mona", mona.pk, "shouts", "WHY DO YOU"):
        assert theirs not in everything


def test_deleting_takes_along_what_moderation_holds_and_leaves_the_audit_log(people, mona: User) -> None:
    ada, bob, eve = people
    report_user(ada.pk, eve.pk, "sells pills")
    taken = report_user(eve.pk, bob.pk, "shouts")[0]
    warned = report_user(bob.pk, ada.pk, "shouts")[0]
    report_spammer(ada.pk, points=1.2, reason="many")
    warn_reported(mona, warned.pk, "please be kind")
    take_report(mona, taken.pk)
    LogEntry.objects.create(
        user=mona,
        content_type=ContentType.objects.get_for_model(User),
        object_id=ada.pk,
        object_repr="ada",
        action_flag=2,
    )
    receipt = json.loads(run("delete_user", "ada", "--yes", "--json"))
    deleted = receipt["deleted"]
    assert (deleted["reports"], deleted["reports_about"], deleted["warnings"]) == (1, 2, 1)
    assert [report.pk for report in Report.objects.all()] == [taken.pk]
    assert not WarningNote.objects.exists()
    assert not Reputation.objects.exists()
    assert not LogEntry.objects.exists()
    actions = AuditEntry.objects.filter(target=ada.pk).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["warn user", "delete user"]
    run("delete_user", "mona", "--yes")
    taken.refresh_from_db()
    assert (taken.state, taken.assignee) == ("in_progress", None), "another moderator takes it"
    assert set(AuditEntry.objects.values_list("actor_name", flat=True)) == {"mona", Operator().username}


def test_the_pages_of_the_audit_log_and_the_queue_open_when_everybody_in_them_is_gone(
    people, mona: User, admin_client: Client
) -> None:
    ada, bob, _ = people
    warned = report_user(bob.pk, ada.pk, "shouts")[0]
    warn_reported(mona, warned.pk, "please be kind")
    for name in ("ada", "bob", "mona"):
        run("delete_user", name, "--yes")
    page = admin_client.get("/admin/moderation/auditentry/").content.decode()
    assert ada.pk in page
    assert "please be kind" in page
    assert admin_client.get("/admin/moderation/report/").status_code == 200


def test_deleting_leaves_nothing_in_what_the_spam_scorer_counts(people, cache_valkey: str) -> None:
    ada, bob, _ = people
    track_messages([(ada.pk, bob.pk), (bob.pk, ada.pk)], NOW)
    run("delete_user", "ada", "--yes")
    left = list(sync_client(cache_valkey).scan_iter(match="spam:*"))
    assert left
    assert not [key for key in left if ada.pk in key]


def store_late(sender_id: str, receiver: User) -> None:
    """A message of somebody who may be deleted by now."""
    get_message_store().insert_absent(
        [
            NewMessage(
                message_id="msg-0000000000000009",
                sender_id=sender_id,
                sender_device="dev-000000000001",
                client_id="i9",
                digest="9",
                receiver_id=receiver.pk,
                conversation_id="c",
                sequence=9,
                content="late",
                envelope=None,
                media=None,
                reply_to=None,
                timestamp_ms=NOW,
                sent_at_ms=NOW,
                pending_devices=(),
                own_devices=(),
                history_for=(),
                refusal="",
            )
        ],
        NOW,
    )


def age_order(**age: float) -> None:
    """Let the user have been deleted so long ago, and everything have been erased at once."""
    at = timezone.now() - timedelta(**age)
    AccountErasure.objects.update(requested_at=at, carried_out_at=at)


@pytest.mark.parametrize("age", [{"minutes": 11}, {"hours": 2}, {"hours": settings.LOG_RETENTION_HOURS}])
def test_what_a_batch_under_way_or_a_replay_brings_later_is_deleted_too(people, age: dict[str, float]) -> None:
    ada, bob, _ = people
    run("delete_user", "ada", "--yes")
    store_late(ada.pk, bob)
    assert carry_out_account_erasures() == 0, "it was a moment ago"
    age_order(**age)
    assert carry_out_account_erasures() == 1
    assert get_message_store().list_bodies(["msg-0000000000000009"]) == {}
    assert AccountErasure.objects.count() == 1


def test_an_order_is_carried_out_every_hour_once_it_is_settled(people, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[str] = []
    monkeypatch.setattr(OrmPersonalData, "erase", lambda self, user_id, limit: rounds.append(user_id) or 0)
    run("delete_user", "ada", "--yes")
    age_order(hours=3)
    for _ in range(3):
        carry_out_account_erasures()
    assert len(rounds) == 2, "the command's, and one since"
    AccountErasure.objects.update(carried_out_at=timezone.now() - timedelta(minutes=61))
    carry_out_account_erasures()
    assert len(rounds) == 3


def test_an_order_stands_until_the_log_holds_nothing_of_the_user(people) -> None:
    run("delete_user", "ada", "--yes")
    age_order(hours=settings.LOG_RETENTION_HOURS, minutes=9)
    carry_out_account_erasures()
    assert AccountErasure.objects.count() == 1
    age_order(hours=settings.LOG_RETENTION_HOURS, minutes=11)
    carry_out_account_erasures()
    assert AccountErasure.objects.count() == 0


def test_a_cache_that_is_down_meanwhile_is_cleared_later(
    people, cache_valkey: str, inbox_valkey: SyncKeyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, _ = people
    write(1, ada, bob)
    track_messages([(ada.pk, bob.pk), (bob.pk, ada.pk)], NOW)
    inbox_valkey.execute("SET", f"presence:{{{ada.pk}}}", "1")

    def fail(*_: object) -> None:
        raise ValkeyError("down")

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "forget_user", fail)
        with pytest.raises(CommandError, match=f"account is deleted.*delete_user {ada.pk} --dry-run"):
            run("delete_user", "ada", "--yes")
        store_late(ada.pk, bob)
        with pytest.raises(ValkeyError):
            carry_out_account_erasures()
        assert get_message_store().personal_data.count_messages(ada.pk) == 0, "no message waits for the cache"
    assert AccountErasure.objects.get().carried_out_at is None
    carry_out_account_erasures()
    assert AccountErasure.objects.get().carried_out_at is not None
    client = sync_client(cache_valkey)
    assert not [key for key in client.scan_iter(match="*") if ada.pk in key]
    assert client.zscore(f"spam:known:{bob.pk}", ada.pk) is None


def test_the_scorer_learns_nothing_new_of_a_deleted_user(people, cache_valkey: str) -> None:
    ada, bob, eve = people
    ada_id = ada.pk
    run("delete_user", "ada", "--yes")
    messages = [
        MessageSubmitted(
            message_id=f"msg-{number:016x}",
            sender_id=sender,
            sender_device="dev-000000000001",
            client_id=f"i{number}",
            digest="d",
            receiver_id=receiver,
            group_id=None,
            content="still on the log",
            envelope=None,
            media=None,
            reply_to=None,
            timestamp_ms=NOW,
            sent_at_ms=NOW,
        )
        for number, (sender, receiver) in enumerate([(ada_id, bob.pk), (bob.pk, ada_id), (bob.pk, eve.pk)])
    ]
    score_records(
        [
            LogRecord(partition=0, position=number, sequence=number, payload=encode_record(message).decode())
            for number, message in enumerate(messages, start=1)
        ]
    )
    client = sync_client(cache_valkey)
    assert not [key for key in client.scan_iter(match="spam:*") if ada_id in key]
    assert client.zrange(f"spam:unanswered:{bob.pk}", 0, -1) == [eve.pk]


def test_an_id_that_is_deleted_already_tells_what_is_left_and_goes_on(people) -> None:
    ada, bob, _ = people
    user_id = ada.pk
    run("delete_user", "ada", "--yes")
    store_late(user_id, bob)
    left = json.loads(run("delete_user", user_id, "--dry-run", "--json"))
    assert (left["user_id"], left["username"], left["would_delete"]["messages"]) == (user_id, None, 1)
    assert left["deleted_at"] <= left["everything_erased_at"] < left["erased_again_until"]
    receipt = json.loads(run("delete_user", user_id))
    assert receipt["deleted"]["messages"] == 1
    assert json.loads(run("delete_user", user_id, "--dry-run"))["would_delete"]["messages"] == 0
    with pytest.raises(CommandError, match="there is no user 'ada'"):
        run("delete_user", "ada")


@pytest.mark.parametrize("answer", ["no\n", "", "ADA\n"])
def test_deleting_asks_for_the_username(people, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    with pytest.raises(CommandError, match="nothing was deleted"):
        run("delete_user", "ada")
    assert User.objects.filter(username="ada").exists()


def test_a_dry_run_deletes_nothing(people) -> None:
    assert json.loads(run("delete_user", "ada", "--dry-run"))["would_delete"]["devices"] == 1
    assert User.objects.filter(username="ada").exists()


def test_a_store_that_is_down_meanwhile_gets_the_order_later(people, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob, _ = people
    write(1, ada, bob)

    def fail(*_: object) -> None:
        raise StoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(OrmPersonalData, "erase", fail)
        with pytest.raises(CommandError, match="Celery deletes the rest"):
            run("delete_user", "ada", "--yes")
    assert carry_out_account_erasures() == 1


def test_json_is_not_mixed_with_a_question(people) -> None:
    with pytest.raises(CommandError, match="--json takes --yes or --dry-run"):
        run("delete_user", "ada", "--json")


def test_celery_has_the_task_that_its_schedule_names() -> None:
    names = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    current_app.loader.import_default_modules()
    assert "operations.erase_deleted_users" in names
    assert names <= set(current_app.tasks)
