"""How far a reader is: what may be written down, what is waited for, and what the log has lost."""

from collections.abc import Sequence

from apps.messagelog.base import LogRecord
from apps.messagelog.kafka.progress import Gap, Progress


def records(positions: Sequence[int], partition: int = 0) -> list[LogRecord]:
    return [LogRecord(partition=partition, position=position, sequence=position, payload="") for position in positions]


def polled(*positions: int) -> Progress:
    progress = Progress()
    progress.note_polled(0, records(positions))
    return progress


def test_only_what_is_done_is_written_and_only_once() -> None:
    progress = polled(1, 2, 3, 4)
    assert progress.unwritten() == {}
    progress.note_done(records([1, 2]))
    assert progress.unwritten() == {0: 2}
    progress.note_written({0: 2})
    assert progress.unwritten() == {}
    progress.note_done(records([3, 4]))
    assert (progress.unwritten(), progress.unwritten([1])) == ({0: 4}, {})


def test_what_is_done_twice_or_late_never_lowers_a_position() -> None:
    progress = polled(1, 2, 3)
    progress.note_done(records([1, 2, 3]))
    progress.note_done(records([1]))
    assert progress.unwritten() == {0: 3}


def test_partitions_are_settled_when_all_that_was_polled_is_done() -> None:
    progress = polled(1, 2)
    progress.note_polled(1, records([1], partition=1))
    assert not progress.is_settled([0])
    assert progress.is_settled([7]), "nothing of it was polled"
    progress.note_done(records([1, 2]))
    assert progress.is_settled([0])
    assert not progress.is_settled([0, 1])


def test_work_on_a_partition_that_was_given_up_counts_no_more() -> None:
    progress = polled(1, 2)
    progress.forget([0])
    progress.note_done(records([1, 2]))
    progress.note_written({0: 2})
    assert progress.unwritten() == {}
    assert progress.is_new(0)


def test_work_of_an_earlier_assignment_does_not_lower_or_pass_the_new_one() -> None:
    progress = polled(1, 2, 3)
    progress.forget([0])
    progress.note_polled(0, records([3, 4]), committed=2)
    progress.note_done(records([1, 2]))
    assert progress.unwritten() == {}
    progress.note_done(records([9]))
    assert progress.unwritten() == {}, "nothing beyond what was polled"


def test_a_gap_is_found_between_polls_and_after_the_committed_position() -> None:
    progress = Progress()
    assert progress.note_polled(0, records([5]), committed=4) is None
    assert progress.note_polled(0, records([6, 7])) is None
    assert progress.note_polled(0, records([9])) == Gap(partition=0, expected=8, found=9)
    assert progress.note_polled(1, records([9], partition=1), committed=2) == Gap(partition=1, expected=3, found=9)


def test_a_partition_that_begins_again_lower_is_a_gap_and_goes_on_from_there() -> None:
    progress = polled(5, 6)
    progress.note_done(records([5, 6]))
    assert progress.note_polled(0, records([3, 4])) == Gap(partition=0, expected=7, found=3)
    progress.note_done(records([3, 4]))
    assert progress.unwritten() == {0: 4}
