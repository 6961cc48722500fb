"""A group is counted at once, and then at most once a second; what a count did not finish is due again."""

import time
from collections.abc import Callable

import pytest

from apps.delivery import group_due
from apps.delivery.group_due import counting, mark_due, note_telling, note_told, take_due
from apps.delivery.group_keys import CONFIRMED_KEY, DUE_KEY
from apps.valkey.pools import sync_client

GROUP, OTHER = "grp-0123456789ab", "grp-ffffffffffff"


@pytest.fixture
def pass_time(cache_valkey: str) -> Callable[[str, int], None]:
    """Return a way to let ms pass for a group."""

    def let(group_id: str, ms: int) -> None:
        client = sync_client(cache_valkey)
        left = client.pttl(f"group_counted:{group_id}")
        if left > 0:
            client.pexpire(f"group_counted:{group_id}", max(1, left - ms))
        if client.zscore(DUE_KEY, group_id) is not None:
            client.zincrby(DUE_KEY, -ms, group_id)
        time.sleep(0.003)

    return let


def test_the_first_confirmation_is_counted_at_once_and_the_next_ones_wait(
    pass_time: Callable[[str, int], None],
) -> None:
    assert mark_due({GROUP: 5, OTHER: 7}) == [GROUP, OTHER]
    with counting(GROUP):
        pass
    assert mark_due({GROUP: 5}) == []
    assert mark_due({GROUP: 5}) == []
    assert take_due() == [], "not yet"
    pass_time(GROUP, 1_001)
    assert take_due() == [GROUP]
    assert take_due() == [], "whoever took it is at it"
    assert mark_due({GROUP: 5}) == [], "nor is it counted again within the second"


def test_counted_is_no_longer_due(pass_time: Callable[[str, int], None]) -> None:
    mark_due({GROUP: 5})
    with counting(GROUP):
        pass
    pass_time(GROUP, 60_000)
    assert take_due() == []


def test_what_comes_during_a_count_is_counted_after_it(pass_time: Callable[[str, int], None]) -> None:
    mark_due({GROUP: 5})
    with counting(GROUP):
        assert mark_due({GROUP: 5}) == []
    pass_time(GROUP, 1_001)
    assert take_due() == [GROUP]


def test_a_count_begins_at_the_lowest_that_was_confirmed_since_the_last_one() -> None:
    for sequence in (7, 5, 9):
        mark_due({GROUP: sequence})
    with counting(GROUP) as lowest:
        assert lowest == 5
    mark_due({GROUP: 8})
    with counting(GROUP) as lowest:
        assert lowest == 8
        mark_due({GROUP: 8})
    with counting(GROUP) as lowest:
        assert lowest == 8, "the same came again meanwhile, and the count may have missed it"
    with counting(GROUP) as lowest:
        assert lowest == 0, "nobody marked it"


def test_a_count_that_is_cut_off_keeps_what_it_was_to_begin_with() -> None:
    mark_due({GROUP: 5})
    with pytest.raises(OSError, match="killed"), counting(GROUP):
        raise OSError("killed")
    mark_due({GROUP: 9})
    with counting(GROUP) as lowest:
        assert lowest == 5


def test_where_it_is_forgotten_from_where_on_to_count_all_is_counted(cache_valkey: str) -> None:
    mark_due({GROUP: 5})
    sync_client(cache_valkey).delete(CONFIRMED_KEY)
    mark_due({GROUP: 9})
    with counting(GROUP) as lowest:
        assert lowest == 0


def test_what_is_confirmed_while_a_sweep_counts_is_counted_after_it(pass_time: Callable[[str, int], None]) -> None:
    """Its time may be the same as before: the second is not over."""
    mark_due({GROUP: 5})
    with counting(GROUP):
        pass
    mark_due({GROUP: 6})
    with counting(GROUP):
        mark_due({GROUP: 7})
    pass_time(GROUP, 1_001)
    assert take_due() == [GROUP]


def test_a_count_that_fails_is_due_again(pass_time: Callable[[str, int], None]) -> None:
    mark_due({GROUP: 5})
    with pytest.raises(OSError, match="killed"), counting(GROUP):
        raise OSError("killed")
    assert take_due() == []
    pass_time(GROUP, group_due.COUNT_MS + 1)
    assert take_due() == [GROUP]


def test_one_that_nobody_marked_is_due_while_it_is_counted(pass_time: Callable[[str, int], None]) -> None:
    """As by the sweep, which may be killed too."""
    with counting(GROUP) as lowest:
        assert lowest == 0, "all of it"
        pass_time(GROUP, group_due.COUNT_MS + 1)
        assert take_due() == [GROUP]
    with counting(OTHER):
        pass
    pass_time(OTHER, group_due.COUNT_MS + 1)
    assert take_due() == []


def test_of_one_group_there_is_one_count_at_a_time(pass_time: Callable[[str, int], None]) -> None:
    with counting(GROUP) as first, counting(GROUP) as second, counting(OTHER) as other:
        assert (first, second, other) == (0, None, 0)
    pass_time(GROUP, group_due.AGAIN_MS + 1)
    assert take_due() == [GROUP], "the first may not have seen what the second was asked for"
    with counting(GROUP) as third:
        assert third == 0


def test_what_is_never_counted_comes_again_and_again(pass_time: Callable[[str, int], None]) -> None:
    mark_due({GROUP: 5})
    for _ in range(3):
        pass_time(GROUP, group_due.COUNT_MS + 1)
        assert take_due() == [GROUP]


def test_so_many_at_once(cache_valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_due, "TAKEN_AT_ONCE", 2)
    sync_client(cache_valkey).zadd(DUE_KEY, {f"grp-{number}": number for number in range(5)})
    assert [take_due() for _ in range(3)] == [["grp-0", "grp-1"], ["grp-2", "grp-3"], ["grp-4"]]


def test_what_was_to_be_told_is_remembered_until_it_was(cache_valkey: str) -> None:
    assert note_telling(GROUP, []) == set()
    assert note_telling(GROUP, ["msg-1", "msg-2"]) == {"msg-1", "msg-2"}
    assert note_telling(GROUP, ["msg-3"]) == {"msg-1", "msg-2", "msg-3"}
    note_told(GROUP, {"msg-1", "msg-3"})
    assert note_telling(GROUP, []) == {"msg-2"}
    assert note_telling(OTHER, []) == set()
    assert sync_client(cache_valkey).ttl(f"group_telling:{GROUP}") > 0, "it does not stay for ever"
