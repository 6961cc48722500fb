"""ETags: who asks for what it has already is told so, and nobody gets what is another's."""

from types import SimpleNamespace

import pytest

from apps.accounts import presence
from apps.connections.keys import presence_key
from apps.groups.services import create_invite
from tests.unit.api.stored_messages import message_id, write

POLLED = [
    "user/me",
    "user/settings",
    "user/{bob}",
    "user/{bob}/status",
    "contacts",
    "blocks",
    "devices",
    "conversations",
    "groups",
    "groups/{group}",
    "groups/{group}/members",
    "groups/{group}/invite",
    "chat/{group}",
    "invite/{token}",
    "message/{message}/delivery",
    "reports",
    "warnings",
]

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


@pytest.fixture(autouse=True)
def keyspace(inbox_valkey):
    """Return where presence stands."""
    return inbox_valkey


def ask(person, path: str, etag: str | None = None):
    headers = {} if etag is None else {"If-None-Match": etag}
    return person.client.get(f"/api/{path}", headers=headers)


@pytest.mark.parametrize("path", POLLED)
def test_what_has_not_changed_is_not_sent_again(path: str, ada, bob, club) -> None:
    write(ada, bob, [1])
    _, token = create_invite(club.group_id, ada.user.pk)
    address = path.format(bob=bob.user.pk, message=message_id(1), group=club.group_id, token=token)
    first = ask(ada, address)
    again = ask(ada, address, first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Cache-Control"]) == (first["ETag"], "private, no-store")


def test_what_has_changed_is_sent(ada, bob) -> None:
    before = ask(ada, "contacts")
    ada.client.post("/api/contacts", {"user_id": bob.user.pk}, format="json")
    after = ask(ada, "contacts", before["ETag"])
    assert after.status_code == 200
    assert [one["user_id"] for one in after.json()["results"]] == [bob.user.pk]
    assert after["ETag"] != before["ETag"]


def test_the_tag_of_another_user_or_of_another_page_fits_nothing(ada, bob) -> None:
    tag = ask(ada, "user/me")["ETag"]
    assert ask(bob, "user/me", tag).status_code == 200
    assert ask(ada, "user/settings", tag).status_code == 200


def test_a_refusal_is_never_304(ada, anonymous) -> None:
    tag = ask(ada, "user/me")["ETag"]
    ada.device.delete()
    refused = ask(ada, "user/me", tag)
    assert (refused.status_code, refused["Cache-Control"]) == (401, "private, no-store")
    assert "ETag" not in refused


def test_a_change_that_is_answered_is_not_conditional(ada) -> None:
    tag = ask(ada, "user/settings")["ETag"]
    answer = ada.client.put("/api/user/settings", {}, format="json", headers={"If-None-Match": tag})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-store")


def test_somebody_who_stays_online_is_not_sent_again_before_the_minute_is_over(
    keyspace, ada, bob, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyspace.execute("SET", presence_key(bob.user.pk), "1")
    seen_at = int(bob.device.last_seen_at.timestamp())
    minute = (seen_at // 60 + 2) * 60

    def at(seconds: float, etag: str | None = None):
        monkeypatch.setattr(presence, "time", SimpleNamespace(time=lambda: minute + seconds))
        return ask(ada, f"user/{bob.user.pk}/status", etag)

    first = at(0.5)
    assert first.json() == {"user_id": bob.user.pk, "online": True, "last_seen": minute * 1000}
    assert at(59.9, first["ETag"]).status_code == 304
    later = at(60, first["ETag"])
    assert (later.status_code, later.json()["last_seen"]) == (200, (minute + 60) * 1000)
