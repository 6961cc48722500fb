"""Inboxes on a real Valkey: one numbering for messages and receipts, epochs, windows, rebuilds."""

import pytest

from apps.inbox import inbox
from apps.inbox.inbox import Change, RebuildLockLost, Waiting, WindowRequest
from apps.valkey.sync_keyspace import SyncKeyspace

USER, DEVICE = "usr-aaaaaaaaaaaa", "dev-aaaaaaaaaaa1"


def message(number: int) -> str:
    return f"msg-{number:016x}"


def put(number: int) -> Change:
    return Change(kind="put", user_id=USER, device_id=DEVICE, member=message(number), frame="{}")


def receipt(key: str, frame: str) -> Change:
    return Change(kind="receipt", user_id=USER, device_id=DEVICE, member=key, frame=frame)


def window(epoch: str = "", after: int = 0, limit: int = 100) -> inbox.Window:
    (found,) = inbox.read_windows([WindowRequest(user_id=USER, device_id=DEVICE, epoch=epoch, after=after)], limit)
    return found


@pytest.fixture
def epoch(inbox_valkey: SyncKeyspace) -> str:
    with inbox.rebuild_lock(USER) as token:
        assert token is not None
        return inbox.write_rebuilt(USER, DEVICE, token, [])


def test_an_inbox_without_an_epoch_takes_nothing(inbox_valkey: SyncKeyspace) -> None:
    (place,) = inbox.apply_changes([put(1)])
    assert place is not None
    assert (place.epoch, place.counter) == ("", 0)
    assert inbox.count_waiting(USER, DEVICE) == (0, 0)
    assert window().epoch == ""


def test_messages_and_receipts_share_one_dense_numbering(epoch: str) -> None:
    places = inbox.apply_changes([put(1), receipt("d:1", "one"), put(2)])
    assert [(place.epoch, place.counter) for place in places if place] == [(epoch, 1), (epoch, 2), (epoch, 3)]


def test_putting_again_gives_the_same_place(epoch: str) -> None:
    inbox.apply_changes([put(1), put(2)])
    again = inbox.apply_changes([put(1)])
    assert again[0] is not None
    assert again[0].counter == 1


def test_a_receipt_with_the_same_key_takes_the_place_of_the_older(epoch: str) -> None:
    inbox.apply_changes([receipt("r:1", "old"), put(1), receipt("r:1", "new")])
    entries = window(epoch).entries
    assert [(entry.kind, entry.frame, entry.counter) for entry in entries] == [
        ("message", "", 2),
        ("receipt", "new", 3),
    ]


def test_an_event_of_a_group_keeps_its_place(epoch: str) -> None:
    """It stands among the messages, so a repeated fan-out must not move it behind them."""
    changes = [put(1), receipt("g:evt-1", "renamed"), put(2)]
    places = inbox.apply_changes(changes)
    assert inbox.apply_changes(changes) == places
    assert inbox.apply_changes([receipt("g:evt-2", "left"), *changes, receipt("g:evt-2", "left")])[1:-1] == places
    members = [message(1), "g:evt-1", message(2), "g:evt-2"]
    assert [(entry.member, entry.counter) for entry in window(epoch).entries] == list(
        zip(members, (1, 2, 3, 4), strict=True)
    )


def test_an_event_that_is_put_during_a_rebuild_stands_where_the_rebuild_has_it(epoch: str) -> None:
    changes = [put(1), receipt("g:evt-1", "renamed"), receipt("r:1", "new"), put(2), receipt("g:evt-2", "left")]
    with inbox.rebuild_lock(USER) as token:
        assert token is not None
        inbox.begin_rebuild(USER, DEVICE, token)
        entries = [
            Waiting(kind="message", member=message(1), frame=""),
            Waiting(kind="receipt", member="g:evt-1", frame="renamed"),
            Waiting(kind="message", member=message(2), frame=""),
            Waiting(kind="receipt", member="r:1", frame="old"),
        ]
        inbox.apply_changes(changes)
        inbox.write_rebuilt(USER, DEVICE, token, entries)
    frames = [(entry.member, entry.frame) for entry in window().entries]
    assert frames == [
        (message(1), ""),
        ("g:evt-1", "renamed"),
        (message(2), ""),
        ("r:1", "new"),
        ("g:evt-2", "left"),
    ]


def test_windows_join_on_and_the_last_reaches_the_counter_though_its_entries_were_confirmed(epoch: str) -> None:
    inbox.apply_changes([put(number) for number in range(1, 8)])
    inbox.apply_changes([Change(kind="remove", user_id=USER, device_id=DEVICE, member=message(7))])
    first = window(epoch, 0, 4)
    assert ([entry.member for entry in first.entries], first.upto, first.last) == (
        [message(n) for n in (1, 2, 3, 4)],
        4,
        False,
    )
    second = window(epoch, first.upto, 4)
    assert ([entry.member for entry in second.entries], second.upto, second.last) == ([message(5), message(6)], 7, True)


def test_a_window_of_another_epoch_begins_at_the_start(epoch: str) -> None:
    inbox.apply_changes([put(1), put(2)])
    assert (window("another", 2).after, len(window("another", 2).entries)) == (0, 2)


def test_a_rebuild_replaces_everything_under_a_new_epoch(epoch: str) -> None:
    inbox.apply_changes([put(1), receipt("d:1", "x")])
    with inbox.rebuild_lock(USER) as token:
        assert token is not None
        entries = [Waiting(kind="message", member=message(n), frame="") for n in range(1, 2_501)]
        entries.append(Waiting(kind="receipt", member="d:9", frame="nine"))
        rebuilt = inbox.write_rebuilt(USER, DEVICE, token, entries)
    assert rebuilt != epoch
    assert inbox.count_waiting(USER, DEVICE) == (2_500, 1)
    found = window(rebuilt, 2_499)
    assert [entry.member for entry in found.entries] == [message(2_500), "d:9"]
    assert (found.upto, found.last) == (2_501, True)


def test_one_rebuild_at_a_time_and_who_lost_the_lock_writes_nothing(epoch: str, inbox_valkey: SyncKeyspace) -> None:
    with inbox.rebuild_lock(USER) as token:
        assert token is not None
        with inbox.rebuild_lock(USER) as second:
            assert second is None
        inbox_valkey.execute("SET", f"inboxlock:{{{USER}}}", "other")
        with pytest.raises(RebuildLockLost):
            inbox.write_rebuilt(USER, DEVICE, token, [])
    assert window(epoch).epoch == epoch


def test_an_epoch_of_an_earlier_run_of_the_server_is_none(epoch: str, inbox_valkey: SyncKeyspace) -> None:
    inbox_valkey.execute("HSET", f"inboxmeta:{{{USER}}}:{DEVICE}", "epoch", "00000000-deadbeef")
    assert window().epoch == ""
    (place,) = inbox.apply_changes([put(1)])
    assert place is not None
    assert place.epoch == ""


def test_a_message_body_never_stands_in_the_cache(epoch: str, inbox_valkey: SyncKeyspace) -> None:
    inbox.apply_changes(
        [Change(kind="put", user_id=USER, device_id=DEVICE, member=message(1), frame="the secret body")]
    )
    read = {"zset": ("ZRANGE", 0, -1), "hash": ("HGETALL",), "string": ("GET",), "list": ("LRANGE", 0, -1)}
    keys = list(inbox_valkey.scan("*"))
    everything = "".join(
        str(inbox_valkey.execute(command, key, *rest))
        for key in keys
        for command, *rest in [read[inbox_valkey.execute("TYPE", key)]]
    )
    assert message(1) in everything
    assert "secret" not in everything


def test_what_an_inbox_misses_is_found(epoch: str) -> None:
    inbox.apply_changes([put(1)])
    wanted = [(USER, DEVICE, message(1)), (USER, DEVICE, message(2)), (USER, "dev-without-epoch", message(2))]
    assert inbox.list_missing(wanted) == [(USER, DEVICE, message(2))]


def test_a_refused_put_ends_an_old_epoch_for_good(epoch: str, inbox_valkey: SyncKeyspace) -> None:
    """A slot or a failover may come back to the server that made it, and then it would miss what was refused."""
    key = f"inboxmeta:{{{USER}}}:{DEVICE}"
    inbox_valkey.execute("HSET", key, "epoch", "00000000-deadbeef")
    inbox.apply_changes([put(1)])
    assert inbox_valkey.execute("HGET", key, "epoch") is None


def test_a_batch_over_many_users_keeps_each_ones_order_and_answers_in_its_own(inbox_valkey: SyncKeyspace) -> None:
    users = [f"usr-{number:012x}" for number in range(40)]
    epochs = {}
    for user in users:
        with inbox.rebuild_lock(user) as token:
            assert token is not None
            epochs[user] = inbox.write_rebuilt(user, DEVICE, token, [])
    changes = [
        Change(kind="put", user_id=user, device_id=DEVICE, member=message(number), frame="")
        for number in (3, 1, 2)
        for user in users
    ]
    places = inbox.apply_changes(changes)
    assert [(place.epoch, place.counter) for place in places if place] == [
        (epochs[change.user_id], counter)
        for change, counter in zip(changes, [1] * 40 + [2] * 40 + [3] * 40, strict=True)
    ]
    assert inbox.apply_changes(changes) == places, "a repeated batch changes nothing"
    windows = inbox.read_windows(
        [WindowRequest(user_id=user, device_id=DEVICE, epoch=epochs[user], after=1) for user in users], 10
    )
    assert [[entry.member for entry in one.entries] for one in windows] == [[message(1), message(2)]] * 40
    missing = inbox.list_missing([(user, DEVICE, message(number)) for number in (1, 9) for user in users])
    assert missing == [(user, DEVICE, message(9)) for user in users]
