"""Python's cyclic garbage collector, tuned for processes that live long and allocate in batches."""

import gc

YOUNG_OBJECTS = 10_000


def calm_collector() -> None:
    """Set aside what exists at start and lives for ever, and look for cycles among young objects less often.

    Batches make many objects that die by their reference counts alone; looking for cycles after every 700 of them
    cost a few percent of each gateway's and relay's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
