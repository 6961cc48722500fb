"""Nothing of a deleted user is left in what the scorer keeps, and all of the others is."""

import pytest

from apps.spam import erasure
from apps.spam.erasure import forget_user
from apps.spam.tracking import track_messages
from apps.valkey.pools import sync_client

HOUR_MS = 3_600_000
NOW = 1_800_000_000_000
ADA, BOB, EVE = "usr-00000000000a", "usr-00000000000b", "usr-00000000000e"


@pytest.mark.parametrize("page", [1, 500])
def test_a_user_is_taken_out_of_everything(cache_valkey: str, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(erasure, "PAGE", page)
    track_messages([(ADA, BOB), (BOB, ADA), (ADA, EVE), (BOB, EVE)], NOW)
    track_messages([(EVE, ADA), (EVE, "usr-00000000000c")], NOW + HOUR_MS)
    track_messages([("usr-00000000000d", ADA)], NOW + HOUR_MS)
    client = sync_client(cache_valkey)
    client.set("other:usr-00000000000a", "is not the scorer's")
    assert forget_user(ADA) == 2, "whom she knows, and one hour's count; all were answered"
    hour = NOW // HOUR_MS
    assert set(client.scan_iter()) == {
        "other:usr-00000000000a",
        f"spam:unanswered:{BOB}",
        f"spam:unanswered:{EVE}",
        f"spam:sent:{BOB}:{hour}",
        f"spam:sent:{EVE}:{hour + 1}",
        f"spam:sent:usr-00000000000d:{hour + 1}",
    }
    assert client.zrange(f"spam:unanswered:{BOB}", 0, -1) == [EVE]
    assert client.zrange(f"spam:unanswered:{EVE}", 0, -1) == ["usr-00000000000c"]


def test_of_whom_nothing_is_known_nothing_is_deleted(cache_valkey: str) -> None:
    track_messages([(BOB, EVE)], NOW)
    assert forget_user(ADA) == 0
    assert len(list(sync_client(cache_valkey).scan_iter(match="spam:*"))) == 2
