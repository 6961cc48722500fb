"""History and conversations: who may read what, in which order, and how it goes."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import HistoryErasure
from apps.delivery.retention import carry_out_erasures
from apps.groups.models import Member
from apps.messagestore.base import Pointer
from apps.messagestore.store import get_message_store
from apps.protocol.ids import conversation_id
from tests.unit.api.stored_messages import NOW, deliver, write, write_to_group

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


def keep_history(person, days: int = 90) -> None:
    assert person.client.put("/api/user/settings", {"history_days": days}, format="json").status_code == 200


def test_who_keeps_no_history_is_told_so(ada, bob) -> None:
    answer = ada.client.get(f"/api/history/{bob.user.pk}")
    assert (answer.status_code, answer.json()["code"]) == (403, "history_off")
    assert ada.client.get("/api/conversations").json() == {"results": [], "next": None}


def test_history_has_the_fields_of_incoming_message_and_the_receiver(ada, bob) -> None:
    keep_history(ada)
    write(ada, bob, [7], keepers=[ada])
    assert ada.client.get(f"/api/history/{bob.user.pk}").json()["results"] == [
        {
            "message_id": "msg-0000000000000007",
            "sender_id": ada.user.pk,
            "receiver_id": bob.user.pk,
            "content": "text 7",
            "timestamp": NOW + 7,
            "sequence": 7,
            "delivered": False,
        }
    ]


def test_history_is_read_newest_first_to_its_end(ada, bob) -> None:
    keep_history(ada)
    write(ada, bob, range(1, 8), keepers=[ada])
    first = ada.client.get(f"/api/history/{bob.user.pk}", {"limit": 3}).json()
    second = ada.client.get(f"/api/history/{bob.user.pk}", {"limit": 4, "cursor": first["next"]}).json()
    assert [one["sequence"] for one in first["results"] + second["results"]] == [7, 6, 5, 4, 3, 2, 1]
    assert second["next"] is None
    from_4 = ada.client.get(f"/api/history/{bob.user.pk}", {"last_timestamp": NOW + 4}).json()
    assert [one["sequence"] for one in from_4["results"]] == [4, 3, 2, 1]


@pytest.mark.parametrize("limit", [100, 101, 200])
def test_a_page_has_a_hundred_at_most_however_many_are_asked_for(ada, bob, limit: int) -> None:
    keep_history(ada)
    write(ada, bob, range(1, 102), keepers=[ada])
    first = ada.client.get(f"/api/history/{bob.user.pk}", {"limit": limit}).json()
    assert [one["sequence"] for one in first["results"]] == list(range(101, 1, -1))
    rest = ada.client.get(f"/api/history/{bob.user.pk}", {"limit": limit, "cursor": first["next"]}).json()
    assert ([one["sequence"] for one in rest["results"]], rest["next"]) == ([1], None)


def read_group(person, group_id: str, **query: object) -> dict:
    answer = person.client.get(f"/api/history/{group_id}", query)
    assert answer.status_code == 200
    return answer.json()


def test_a_groups_history_has_the_fields_of_incoming_message(club) -> None:
    keep_history(club.member)
    write_to_group(club.owner, club.group_id, [7], keepers=[club.member.user.pk])
    assert read_group(club.member, club.group_id)["results"] == [
        {
            "message_id": "msg-0000000000000007",
            "sender_id": club.owner.user.pk,
            "receiver_id": None,
            "group_id": club.group_id,
            "content": "text 7",
            "timestamp": NOW + 7,
            "sequence": 7,
            "delivered": False,
        }
    ]


def test_of_what_was_polled_it_is_not_said_whether_it_was_delivered(club) -> None:
    keep_history(club.member)
    write_to_group(club.owner, club.group_id, [7], keepers=[club.member.user.pk])
    write_to_group(club.owner, club.group_id, [8], keepers=[club.group_id])
    found = read_group(club.member, club.group_id)["results"]
    assert [(one["sequence"], one.get("delivered")) for one in found] == [(8, None), (7, False)]


def test_of_a_group_one_reads_what_came_while_one_was_a_member(club, group_log) -> None:
    carol, address = club.member, f"{club.address}/members"
    keep_history(carol)
    spell = Member.objects.filter(user=carol.user)
    spell.update(from_sequence=10, to_sequence=20)
    Member.objects.create(group_id=club.group_id, user=carol.user, from_sequence=30)
    write_to_group(club.owner, club.group_id, range(1, 41), keepers=[carol.user.pk])
    group_log.sequence = 40
    hers = [*range(40, 30, -1), *range(19, 10, -1)]
    assert [one["sequence"] for one in read_group(carol, club.group_id)["results"]] == hers
    found, query = [], {"limit": 4}
    while True:
        page = read_group(carol, club.group_id, **query)
        found += [one["sequence"] for one in page["results"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found == hers
    assert club.owner.client.delete(f"{address}/{carol.user.pk}").status_code == 204
    write_to_group(club.owner, club.group_id, [42], keepers=[carol.user.pk])
    kept = [one["sequence"] for one in read_group(carol, club.group_id)["results"]]
    assert kept == hers, "she keeps it, up to where she was sent away"


def test_the_history_of_a_group_is_nobody_elses(club) -> None:
    for one in (club.stranger, club.owner):
        keep_history(one)
    write_to_group(club.owner, club.group_id, [7], keepers=[club.owner.user.pk])
    for group_id in (club.group_id, "grp-ffffffffffff"):
        answer = club.stranger.client.get(f"/api/history/{group_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = club.member.client.get(f"/api/history/{club.group_id}")
    assert (answer.status_code, answer.json()["code"]) == (403, "history_off")
    keep_history(club.member)
    assert read_group(club.member, club.group_id)["results"] == [], "who did not keep it then has none"


def test_groups_stand_among_the_conversations(club) -> None:
    carol = club.member
    keep_history(carol)
    write(club.owner, carol, [1], keepers=[carol])
    write_to_group(club.owner, club.group_id, [2, 3], keepers=[carol.user.pk])
    write_to_group(carol, club.group_id, [4], keepers=[carol.user.pk])
    found = carol.client.get("/api/conversations").json()["results"]
    assert [(one["participant_id"], one["last_message"]["sequence"], one["unread_count"]) for one in found] == [
        (club.group_id, 4, 2),
        (club.owner.user.pk, 1, 1),
    ]
    keep_history(club.stranger)
    assert club.stranger.client.get("/api/conversations").json()["results"] == []


def test_nothing_was_written_before_time_began(ada, bob) -> None:
    keep_history(ada)
    write(ada, bob, [1], keepers=[ada])
    answer = ada.client.get(f"/api/history/{bob.user.pk}", {"last_timestamp": 0})
    assert (answer.status_code, answer.json()) == (200, {"results": [], "next": None})


WRONG_QUERIES = ["limit=0", "limit=-1", "limit=x", "limit=1e2", "last_timestamp=-1", "last_timestamp=x", "cursor=!"]


@pytest.mark.parametrize("query", WRONG_QUERIES)
def test_a_wrong_query_is_refused(ada, bob, query: str) -> None:
    keep_history(ada)
    assert ada.client.get(f"/api/history/{bob.user.pk}?{query}").status_code == 400


def test_another_users_history_and_strangers_are_not_found(ada, bob, person) -> None:
    eve = person("eve")
    keep_history(eve)
    write(ada, bob, [1], keepers=[ada, bob])
    assert eve.client.get(f"/api/history/{bob.user.pk}").json()["results"] == []
    assert eve.client.get(f"/api/history/{eve.user.pk}").status_code == 404
    assert eve.client.get("/api/history/usr-000000000000").status_code == 404


def test_conversations_show_last_message_and_unread_count(ada, bob, person) -> None:
    eve = person("eve")
    keep_history(ada)
    write(bob, ada, [1, 2, 3], keepers=[ada])
    write(ada, eve, [4], keepers=[ada])
    pointer = Pointer(
        conversation_id=conversation_id(ada.user.pk, bob.user.pk),
        reader_id=ada.user.pk,
        peer_id=bob.user.pk,
        message_id="msg-0000000000000001",
        sequence=1,
        read_at_ms=NOW,
    )
    get_message_store().raise_pointers([pointer])
    found = ada.client.get("/api/conversations").json()["results"]
    assert [(one["participant_id"], one["last_message"]["sequence"], one["unread_count"]) for one in found] == [
        (eve.user.pk, 4, 0),
        (bob.user.pk, 3, 2),
    ]


def test_conversations_go_on_by_cursor(ada, bob, person, monkeypatch) -> None:
    monkeypatch.setattr("apps.api.history.PAGE_SIZE", 1)
    keep_history(ada)
    write(bob, ada, [1], keepers=[ada])
    write(ada, person("eve"), [2], keepers=[ada])
    first = ada.client.get("/api/conversations").json()
    second = ada.client.get("/api/conversations", {"cursor": first["next"]}).json()
    sequences = [page["results"][0]["last_message"]["sequence"] for page in (first, second)]
    assert (sequences, second["next"]) == ([2, 1], None)


def test_switching_history_off_erases_what_only_this_user_kept(ada, bob) -> None:
    for person in (ada, bob):
        keep_history(person)
    write(ada, bob, [1], keepers=[ada])
    write(ada, bob, [2], keepers=[ada, bob])
    write(ada, bob, [3], keepers=[ada])
    deliver(bob, [1, 2])
    keep_history(ada, 0)
    assert carry_out_erasures() == 3
    store = get_message_store()
    stripped = [store.trace(f"msg-{number:016x}").stripped_at_ms is not None for number in (1, 2, 3)]
    assert stripped == [True, False, False], "bob keeps 2, and 3 was not delivered yet"
    assert [one["sequence"] for one in bob.client.get(f"/api/history/{ada.user.pk}").json()["results"]] == [2]


def test_what_is_to_be_erased_is_shown_no_more_even_if_history_is_on_again(ada, bob) -> None:
    keep_history(ada)
    write(ada, bob, [1], keepers=[ada])
    keep_history(ada, 0)
    keep_history(ada, 90)
    assert ada.client.get(f"/api/history/{bob.user.pk}").json()["results"] == []
    later = int(time.time() * 1000) + 10
    write(ada, bob, [2], keepers=[ada], at_ms=later)
    carry_out_erasures()
    assert [one["sequence"] for one in ada.client.get(f"/api/history/{bob.user.pk}").json()["results"]] == [2]


def test_a_message_that_was_under_way_is_erased_by_the_next_sweep(ada, bob) -> None:
    keep_history(ada)
    keep_history(ada, 0)
    carry_out_erasures()
    write(ada, bob, [1], keepers=[ada], at_ms=int(time.time() * 1000))
    assert carry_out_erasures() == 1


def test_an_erasure_is_closed_when_nothing_can_come_any_more(ada) -> None:
    keep_history(ada)
    keep_history(ada, 0)
    carry_out_erasures()
    assert HistoryErasure.objects.count() == 1
    HistoryErasure.objects.update(requested_at=timezone.now() - timedelta(hours=1))
    carry_out_erasures()
    assert HistoryErasure.objects.count() == 0


def test_a_store_that_is_down_is_told(ada, bob, monkeypatch) -> None:
    from apps.messagestore.base import StoreUnavailable
    from apps.messagestore.orm_history import OrmHistory

    def fail(*_: object) -> None:
        raise StoreUnavailable("down")

    keep_history(ada)
    monkeypatch.setattr(OrmHistory, "list_messages", fail)
    answer = ada.client.get(f"/api/history/{bob.user.pk}")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
