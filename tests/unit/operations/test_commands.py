"""Commands for people and scripts who look after users."""

import getpass
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.credentials import find_identity, hash_secret
from apps.accounts.models import Device, User
from apps.accounts.services import log_in_device
from apps.connections.control import CONTROL_KEY, USER_DISCONNECTED
from apps.inbox.inbox import rebuild_lock
from apps.moderation.audit import Operator
from apps.moderation.models import AuditEntry
from apps.operations.lookup import find_named_user
from apps.valkey.pools import sync_client

PASSWORD = "a long and unusual sentence"


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture
def typed_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))


@pytest.mark.django_db
@pytest.mark.usefixtures("typed_password")
def test_adduser_makes_a_user_who_can_log_in() -> None:
    made = json.loads(run("adduser", "Alice", "--password-stdin", "--json"))
    user = User.objects.get(username="Alice")
    assert made == {"user_id": user.pk, "username": "Alice"}
    assert user.check_password(PASSWORD)


@pytest.mark.django_db
@pytest.mark.usefixtures("typed_password")
def test_adduser_with_token_prints_one_that_works() -> None:
    made = json.loads(run("adduser", "alice", "--password-stdin", "--token", "--json"))
    identity = find_identity(hash_secret(made["token"]))
    assert identity is not None
    assert (identity.user_id, identity.device_id) == (made["user_id"], made["device_id"])


@pytest.mark.django_db
def test_adduser_refuses_what_registration_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1234\n"))
    with pytest.raises(CommandError, match="password"):
        run("adduser", "alice", "--password-stdin")
    assert not User.objects.exists()


@pytest.mark.django_db
def test_adduser_does_not_wait_for_a_password_that_nobody_can_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CommandError, match="--password-stdin"):
        run("adduser", "alice")


@pytest.mark.django_db
def test_addusers_writes_working_devices_and_may_be_run_again(tmp_path: Path) -> None:
    accounts = []
    for name in ("one", "two"):
        out = tmp_path / name
        run("addusers", "--count", 3, "--out", out)
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        accounts += [json.loads(line) for line in out.read_text().splitlines()]
    assert len({account["username"] for account in accounts}) == 6
    for account in accounts:
        identity = find_identity(hash_secret(account["token"]))
        assert identity is not None
        assert identity.user_id == account["user_id"]
        assert not User.objects.get(pk=account["user_id"]).has_usable_password()


@pytest.mark.django_db
@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_addusers_refuses_a_number_that_makes_no_sense(tmp_path: Path, count: str) -> None:
    with pytest.raises(CommandError, match="is not a number of users"):
        run("addusers", f"--count={count}", "--out", tmp_path / "out")


@pytest.mark.django_db
def test_addusers_refuses_a_prefix_that_no_username_has_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="username: "):
        run("addusers", "--count", 1, "--out", tmp_path / "out", "--prefix", "a b")
    assert not (tmp_path / "out").exists()


@pytest.mark.django_db
def test_addusers_names_a_file_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        run("addusers", "--count", 1, "--out", tmp_path / "no" / "such" / "folder")
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_user_is_found_by_id_and_by_name_in_any_case() -> None:
    user = User.objects.create_user("Alice", PASSWORD, display_name="Alice")
    assert find_named_user("aLICE") == find_named_user(user.pk) == user
    with pytest.raises(CommandError, match="there is no user 'bob'"):
        find_named_user("bob")


@pytest.mark.django_db
def test_suspend_keeps_a_user_out_and_undo_lets_the_user_in() -> None:
    user = User.objects.create_user("alice", PASSWORD, display_name="Alice")
    run("suspend", "alice")
    user.refresh_from_db()
    assert not user.is_active
    run("suspend", "alice", "--undo")
    user.refresh_from_db()
    assert user.is_active


def audit() -> list[tuple[str, str, str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("actor_name", "action", "target", "reason"))


@pytest.mark.django_db
def test_suspend_tells_the_user_why_and_the_audit_log_who() -> None:
    user = User.objects.create_user("alice", PASSWORD, display_name="Alice")
    shown = json.loads(run("suspend", "alice", "--reason", "sells pills", "--json"))
    assert shown == {"user_id": user.pk, "username": "alice", "suspended": True}
    user.refresh_from_db()
    assert user.suspension_reason == "sells pills"
    run("suspend", "alice", "--undo", "--reason", "a mistake")
    me = f"manage.py ({getpass.getuser()})"
    assert audit() == [
        (me, "suspend", user.pk, "sells pills"),
        (me, "lift suspension", user.pk, "a mistake"),
    ]


@pytest.mark.django_db
def test_suspend_takes_no_reason_that_no_column_holds() -> None:
    User.objects.create_user("alice", PASSWORD, display_name="Alice")
    with pytest.raises(CommandError, match="501 characters: a reason takes 500"):
        run("suspend", "alice", f"--reason={'x' * 501}")
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_a_superuser_is_suspended_only_by_somebody_who_means_it(monkeypatch: pytest.MonkeyPatch) -> None:
    root = User.objects.create_superuser("root", PASSWORD, display_name="Root")
    for answer, expected in (("n\n", "was not suspended$"), ("", "was not suspended: .* give --yes")):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        with pytest.raises(CommandError, match=expected):
            run("suspend", "root")
    with pytest.raises(CommandError, match="root is a superuser: --json takes --yes"):
        run("suspend", "root", "--json")
    root.refresh_from_db()
    assert root.is_active
    assert audit() == []
    run("suspend", "root", "--yes", "--json")
    root.refresh_from_db()
    assert not root.is_active


def test_an_operator_whom_the_system_has_no_name_for_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise OSError("no username set in the environment")

    monkeypatch.setattr("getpass.getuser", fail)
    assert Operator().username == f"manage.py (uid {os.getuid()})"


def test_the_name_of_an_operator_fits_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "x" * 100)
    assert len(Operator().username) == 32


@pytest.mark.django_db
def test_connections_lists_nobody_when_nobody_is_there(cache_valkey: str) -> None:
    assert run("connections") == "0 connected\n"
    assert run("connections", "--json") == ""


@pytest.mark.django_db
def test_setup_log_may_be_repeated_and_log_status_shows_the_log(log_valkey: str) -> None:
    assert run("setup_log") == run("setup_log") == "the event log is ready, generation 1\n"
    status = json.loads(run("log_status", "--json"))
    assert status["generation"] == 1
    assert len(status["partitions"]) == 12
    assert "nobody reads" in run("log_status")


@pytest.mark.django_db(databases=["default", "messages"])
def test_inbox_shows_each_device_and_rebuild_says_how_many(cache_valkey: str) -> None:
    user = User.objects.create_user("alice", PASSWORD, display_name="Alice")
    device, _ = log_in_device(user, "laptop")
    shown = json.loads(run("inbox", "show", "alice", "--json"))
    assert (shown["device_id"], shown["messages"], shown["receipts"]) == (device.pk, 0, 0)
    assert run("inbox", "rebuild", "alice") == "1 inboxes rebuilt, 0 entries\n"
    assert run("inbox", "rebuild") == "1 inboxes rebuilt, 0 entries\n"


@pytest.mark.django_db(databases=["default", "messages"])
def test_inbox_rebuild_fails_where_it_skipped_a_device(cache_valkey: str) -> None:
    for name in ("alice", "bob"):
        log_in_device(User.objects.create_user(name, PASSWORD, display_name=name), "laptop")
    bob = Device.objects.get(user__username="bob")
    out = io.StringIO()
    with (
        rebuild_lock(bob.user_id),
        pytest.raises(CommandError, match=f"(?s)skipped {bob.pk}: .* run it again") as caught,
    ):
        call_command("inbox", "rebuild", "--json", stdout=out)
    assert caught.value.returncode == 1
    report = json.loads(out.getvalue())
    assert (report["rebuilt"], report["entries"], list(report["skipped"])) == (1, 0, [bob.pk])
    assert json.loads(run("inbox", "rebuild", "--json")) == {"rebuilt": 2, "entries": 0, "skipped": {}}


@pytest.mark.django_db
def test_disconnect_tells_every_gateway_to_close_the_sockets(cache_valkey: str) -> None:
    user = User.objects.create_user("alice", PASSWORD, display_name="Alice")
    shown = json.loads(run("disconnect", "alice", "--json"))
    assert shown == {"user_id": user.pk, "username": "alice", "disconnected": True}
    [(_, event)] = sync_client(cache_valkey).xrange(CONTROL_KEY)
    assert (event["kind"], event["user"], event["devices"]) == (USER_DISCONNECTED, user.pk, "")
    assert [entry[1:3] for entry in audit()] == [("disconnect", user.pk)]


@pytest.mark.django_db
def test_disconnect_fails_where_no_gateway_could_be_told(settings: Any) -> None:
    User.objects.create_user("alice", PASSWORD, display_name="Alice")
    settings.REDIS_URL = "redis://127.0.0.1:1"
    with pytest.raises(CommandError, match=r"no gateway was told, .* the cache does not answer"):
        run("disconnect", "alice")
    assert audit() == [], "nothing happened"
