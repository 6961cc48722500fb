"""A client may burst, and is then read at a steady pace."""

import pytest

from apps.gateway.pace import BURST_FRAMES, FRAMES_PER_SECOND, Pace


def test_a_burst_is_read_at_once_and_what_comes_after_it_is_slowed() -> None:
    pace = Pace(0.0)
    assert [pace.spend(1, 0.0) for _ in range(int(BURST_FRAMES))] == [0.0] * int(BURST_FRAMES)
    assert pace.spend(1, 0.0) == pytest.approx(1 / FRAMES_PER_SECOND)


def test_silence_fills_the_bucket_again_but_not_above_its_size() -> None:
    pace = Pace(0.0)
    pace.spend(BURST_FRAMES, 0.0)
    assert pace.spend(FRAMES_PER_SECOND, 1.0) == 0.0
    assert pace.spend(BURST_FRAMES, 1_000.0) == 0.0
    assert pace.spend(1, 1_000.0) > 0.0
