"""Which bugs there are, which instrument finds each, and as what."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PATCHES = Path(__file__).parent / "patches"
LABELS = ("Breaks", "Bug", "Like")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedBug:
    """One patch: ``instrument``, with ``options`` of its own, finds it with at least one of the kinds ``found_as``."""

    name: str
    instrument: Literal["simulation", "faults"]
    found_as: frozenset[str]
    options: tuple[str, ...] = ()

    @property
    def patch(self) -> Path:
        """The patch, a unified diff under a heading."""
        return PATCHES / f"{self.name}.patch"

    @property
    def promise(self) -> str:
        """The promise that it breaks."""
        return read_heading(self.patch)["Breaks"]


def read_heading(patch: Path) -> dict[str, str]:
    """What a patch says of itself: the promise that it breaks, the bug, and what that is like elsewhere.

    Raises ValueError where one of them is missing.
    """
    heading: dict[str, str] = {}
    label = ""
    for line in patch.read_text().partition("\n\n")[0].splitlines():
        begins, _, text = line.partition(": ")
        if begins in LABELS and text:
            label = begins
            heading[label] = text.strip()
        elif label:
            heading[label] += f" {line.strip()}"
    if missing := [each for each in LABELS if each not in heading]:
        raise ValueError(f"{patch.name}: its heading does not say {' and '.join(missing)}")
    return heading


def by_simulation(name: str, *found_as: str) -> PlantedBug:
    """A bug that the simulation finds."""
    return PlantedBug(name=name, instrument="simulation", found_as=frozenset(found_as))


def by_fault_test(name: str, *found_as: str, only: str) -> PlantedBug:
    """A bug that only shows itself between real processes, when faults of the kinds ``only`` strike them."""
    return PlantedBug(name=name, instrument="faults", found_as=frozenset(found_as), options=("--only", only))


CATALOGUE: tuple[PlantedBug, ...] = (
    by_simulation("01-tick-before-append", "lost"),
    by_simulation("02-timeout-is-success", "lost"),
    by_simulation("03-timeout-is-failure", "lost"),
    by_simulation("04-dedup-without-device", "lost"),
    by_simulation("05-digest-unchecked", "lost"),
    by_simulation("06-dedup-by-message-id", "lost"),
    by_simulation("07-held-frames-overtaken", "lost"),
    by_fault_test("08-snowflake-without-lease", "lost", only="kill"),
    by_simulation("09-commit-before-insert", "lost"),
    by_simulation("10-store-error-swallowed", "lost"),
    by_simulation("11-delivery-error-committed", "lost"),
    by_simulation("12-order-by-time", "lost"),
    by_simulation("13-repeat-dropped-silently", "lost"),
    by_simulation("14-second-position-stands", "lost"),
    by_simulation("15-blocks-not-rechecked", "lost"),
    by_simulation("16-late-error-dropped", "lost"),
    by_simulation("17-ticks-at-push", "lost"),
    by_simulation("18-stranger-confirms", "lost"),
    by_simulation("19-own-copy-makes-ticks", "lost"),
    by_simulation("20-ticks-once", "lost"),
    by_simulation("21-first-device-strips", "lost"),
    by_simulation("22-own-copy-keeps-content", "lost"),
    by_simulation("23-history-of-everybody", "lost"),
    by_simulation("24-replay-restores-content", "lost"),
    by_simulation("25-no-trace-after-delivery", "lost"),
    by_simulation("26-undelivered-expires", "lost"),
    by_fault_test("27-release-takes-last-copy", "lost", only="kill"),
    by_simulation("28-inbox-for-offline-only", "lost"),
    by_simulation("29-removed-when-drained", "lost"),
    by_simulation("30-receipts-without-inbox", "lost"),
    by_simulation("31-receipts-expire", "lost"),
    by_simulation("32-put-makes-an-epoch", "lost"),
    by_simulation("33-rebuild-without-receipts", "lost"),
    by_simulation("34-rebuild-by-time", "lost"),
    by_simulation("35-rebuild-not-repeated", "lost"),
    by_simulation("36-new-device-starts-empty", "lost"),
    by_simulation("37-drain-skips-a-page", "lost"),
    by_simulation("38-sweep-forgets-senders", "lost"),
    by_simulation("39-sweep-never-begins-again", "lost"),
    by_simulation("40-close-drops-the-newer", "lost"),
    by_simulation("41-disconnect-without-compare", "lost"),
    by_simulation("42-renewal-without-compare", "lost"),
    by_simulation("43-gaps-ignored", "lost"),
    by_simulation("44-live-before-drained", "lost"),
    by_simulation("45-receipts-do-not-wait", "lost"),
    by_simulation("46-receipts-leave-when-pushed", "lost"),
    by_fault_test("47-trimmed-by-length", "lost", only="kill"),
    by_fault_test("48-lease-not-compared", "lost", only="kill"),
    by_fault_test("49-positions-kept-after-error", "lost", only="kill"),
    by_fault_test("50-log-not-on-disk", "lost", only="kill"),
)
