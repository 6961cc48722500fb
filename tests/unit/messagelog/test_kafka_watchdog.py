"""When a consumer is taken for dead: by facts, and not while all is well."""

from collections.abc import Mapping

from apps.messagelog.kafka.watchdog import STALLED_SECONDS, UNASSIGNED_SECONDS, UNCHANGED_SECONDS, Watchdog


class Cluster:
    """What the watchdog is told: the time, which partitions are nobody's, and where the log ends."""

    def __init__(self) -> None:
        self.now = 100.0
        self.shares: dict[str, tuple[int, ...]] | None = {"other": (0, 1), "we": ()}
        self.ends: dict[int, int] = {}
        self.asked = 0
        self.watchdog = Watchdog(self.list_unread, self.list_incomplete_shares, lambda: self.now)

    def list_unread(self, polled: Mapping[int, int]) -> Mapping[int, int]:
        self.asked += 1
        return {partition: at for partition, at in polled.items() if self.ends[partition] > at}

    def list_incomplete_shares(self) -> dict[str, tuple[int, ...]] | None:
        self.asked += 1
        return self.shares

    def look(self, assigned: int, polled: dict[int, int], *, after: float, drained: bool = True) -> str:
        self.now += after
        return self.watchdog.find_fault(assigned, polled, drained=drained)


def test_a_consumer_that_gets_no_partitions_while_some_are_nobodys_is_faulty() -> None:
    cluster = Cluster()
    assert cluster.look(0, {}, after=0) == ""
    assert cluster.look(0, {}, after=UNASSIGNED_SECONDS - 1) == ""
    assert cluster.look(0, {}, after=1) == "", "they may be changing hands"
    assert "no partitions for 8 s" in cluster.look(0, {}, after=UNCHANGED_SECONDS)


def test_a_group_that_is_still_moving_partitions_is_not_faulty() -> None:
    cluster = Cluster()
    cluster.look(0, {}, after=0)
    for owned in ((0, 1, 2), (0, 1), (0,), (0, 3), (3,), ()):
        cluster.shares = {"other": owned, "we": ()}
        assert cluster.look(0, {}, after=UNASSIGNED_SECONDS) == ""
    cluster.shares = None
    assert cluster.look(0, {}, after=UNASSIGNED_SECONDS) == ""
    cluster.shares = {"other": (), "we": ()}
    assert cluster.look(0, {}, after=UNASSIGNED_SECONDS) == "", "what was seen before the last rebalance does not count"


def test_a_consumer_that_stands_by_is_not_faulty() -> None:
    cluster = Cluster()
    cluster.shares = None
    assert [cluster.look(0, {}, after=1) for _ in range(30)] == [""] * 30
    assert cluster.asked < 15, "the cluster is not asked at every poll"


def test_waiting_for_partitions_counts_from_the_last_time_that_there_were_some() -> None:
    cluster = Cluster()
    cluster.look(0, {}, after=0)
    cluster.look(1, {}, after=UNASSIGNED_SECONDS - 1)
    cluster.look(0, {}, after=1)
    assert cluster.look(0, {}, after=UNASSIGNED_SECONDS - 1) == ""


def test_a_partition_with_unread_records_that_does_not_move_is_a_fault() -> None:
    cluster = Cluster()
    cluster.ends = {0: 5, 1: 9}
    assert cluster.look(2, {0: 5, 1: 7}, after=0) == ""
    assert "[1]" in cluster.look(2, {0: 5, 1: 7}, after=STALLED_SECONDS)


def test_a_partition_that_moves_however_slowly_is_not_a_fault() -> None:
    cluster = Cluster()
    cluster.ends = {0: 1_000}
    assert [cluster.look(1, {0: at}, after=STALLED_SECONDS) for at in range(20)] == [""] * 20


def test_nothing_is_suspected_while_polls_leave_records_behind() -> None:
    cluster = Cluster()
    cluster.ends = {0: 1_000}
    assert [cluster.look(1, {0: 1}, after=STALLED_SECONDS, drained=False) for _ in range(5)] == [""] * 5
