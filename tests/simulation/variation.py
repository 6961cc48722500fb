"""What differs from run to run beside the plan, drawn from its seed: limits of the product, and hosts' clocks."""

import random
from types import ModuleType

from apps.delivery import drain, sweep
from apps.gateway import frame_queue, inbox_cursor
from apps.inbox import inbox
from apps.ingest import batcher
from apps.relay import delivery_lane, runner
from tests.simulation.plan import PROCESSES

WITH_TINY_LIMITS = 0.5
"""Of all runs: what is cut into pieces at thousands in a busy site is cut at a few there."""

MOST_CLOCK_ERROR = 3.0
TINY_LIMITS: tuple[tuple[ModuleType, str, int, int], ...] = (
    (drain, "WINDOW", 2, 10),
    (drain, "PAGE_BYTES", 300, 2_000),
    (sweep, "PAGE", 20, 60),
    (inbox_cursor, "MAX_AHEAD", 2, 10),
    (frame_queue, "CROWDED_FRAMES", 2, 20),
    (inbox, "REBUILD_STEP", 1, 3),
    (batcher, "BATCH", 1, 5),
    (delivery_lane, "SLICE", 1, 5),
    (runner, "BATCH", 12, 40),
    (runner, "BATCH_CHARACTERS", 200, 2_000),
)
"""Module, constant, and the least and the most it is set to."""


def draw_limits(seed: int) -> list[tuple[ModuleType, str, int]]:
    """The limits of a run that are not as they are in the product."""
    dice = random.Random(f"limits {seed}")
    if dice.random() >= WITH_TINY_LIMITS:
        return []
    return [
        (module, name, dice.randint(least, most)) for module, name, least, most in TINY_LIMITS if dice.random() < 0.7
    ]


def has_partitioned_log(seed: int) -> bool:
    """Whether the log is one as Kafka keeps it, in the place of Valkey Streams."""
    return seed % 2 == 1


def draw_clock_errors(seed: int) -> dict[str, float]:
    """By how many seconds each host's clock is ahead from the start."""
    dice = random.Random(f"clocks {seed}")
    return {name: dice.uniform(-MOST_CLOCK_ERROR, MOST_CLOCK_ERROR) for name in PROCESSES}
