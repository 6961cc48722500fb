"""Which bugs there are, and as what each is found."""

from dataclasses import dataclass
from pathlib import Path

PATCHES = Path(__file__).parent / "patches"
LABELS = ("Breaks", "Bug", "Like")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedBug:
    """One patch, which the simulation finds with at least one finding of the kinds ``found_as``: in some seed, or in
    the ``scenario`` of that name where the bug takes more than seeds draw.
    """

    name: str
    found_as: frozenset[str]
    scenario: str = ""

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


def _bug(name: str, *found_as: str, scenario: str = "") -> PlantedBug:
    return PlantedBug(name=name, found_as=frozenset(found_as), scenario=scenario)


CATALOGUE: tuple[PlantedBug, ...] = (
    _bug("01-tick-before-append", "two orders", "lost"),
    _bug("02-timeout-is-success", "lost"),
    _bug("03-timeout-is-failure", "left in an inbox", "pending for ever", "no ✓✓"),
    _bug("04-dedup-without-device", "refused"),
    _bug("05-digest-unchecked", "failure"),
    _bug("06-dedup-by-message-id", "doubled"),
    _bug("07-held-frames-overtaken", "overtaken"),
    _bug("08-snowflake-without-lease", "shared id", "two ids", "lost"),
    _bug("09-commit-before-insert", "lost", "disordered", "left in an inbox"),
    _bug("10-store-error-swallowed", "lost"),
    _bug("11-delivery-error-committed", "no ✓✓", "disordered"),
    _bug("12-order-by-time", "disordered"),
    _bug("13-repeat-dropped-silently", "two orders", "two ids"),
    _bug("14-second-position-stands", "two orders", "disordered"),
    _bug("15-blocks-not-rechecked", "no right", scenario="block-unheard-of"),
    _bug("16-late-error-dropped", "lost", "failure"),
    _bug("17-ticks-at-push", "false ✓✓"),
    _bug("18-stranger-confirms", "false ✓✓"),
    _bug("19-own-copy-makes-ticks", "false ✓✓"),
    _bug("20-ticks-once", "no ✓✓"),
    _bug("21-first-device-strips", "lost"),
    _bug("22-own-copy-keeps-content", "kept"),
    _bug("23-history-of-everybody", "kept"),
    _bug("24-replay-restores-content", "kept", "two orders"),
    _bug("25-no-trace-after-delivery", "no row", "doubled"),
    _bug("26-undelivered-expires", "lost"),
    _bug("27-inbox-for-offline-only", "disordered", "lost"),
    _bug("28-removed-when-drained", "disordered", "lost"),
    _bug("29-receipts-without-inbox", "no ✓✓"),
    _bug("30-receipts-expire", "no ✓✓"),
    _bug("31-put-makes-an-epoch", "disordered", "lost"),
    _bug("32-rebuild-without-receipts", "no ✓✓"),
    _bug("33-rebuild-by-time", "disordered"),
    _bug("34-rebuild-not-repeated", "no ✓✓", "disordered"),
    _bug("35-drain-skips-a-page", "lost", "disordered"),
    _bug("36-close-drops-the-newer", "no ✓✓", "lost", "left in an inbox"),
    _bug("37-gaps-ignored", "disordered"),
    _bug("38-live-before-drained", "disordered"),
    _bug("39-receipts-do-not-wait", "no ✓✓"),
    _bug("40-heartbeat-takes-all-receipts", "no ✓✓"),
    _bug("41-trimmed-by-length", "lost"),
    _bug("42-log-not-on-disk", "lost", "disordered", "shared sequence"),
    _bug("43-new-device-starts-empty", "disordered", "lost"),
    _bug("44-positions-kept-after-error", "lost", scenario="log-lost-with-a-batch-in-hand"),
    _bug("45-release-takes-last-copy", "lost", scenario="only-device-replaced"),
    _bug("46-sweep-forgets-senders", "pending for ever", scenario="removed-unannounced"),
    _bug("47-sweep-never-begins-again", "pending for ever", scenario="removed-unannounced"),
    _bug("48-release-keeps-content", "kept"),
    _bug("49-sweep-keeps-inboxes", "left in an inbox", scenario="inbox-comes-back"),
    _bug("50-devices-remembered", "lost"),
    _bug("51-conflict-in-the-cache-only", "failure"),
    _bug("52-late-tick-has-the-last-word", "two orders", "two ids"),
    _bug("53-fan-out-to-present-members", "lost", "no right", "no ✓✓"),
    _bug("54-fanned-out-before-delivered", "disordered", "lost"),
    _bug("55-pointer-jumps", "failure", scenario="first-not-stored"),
    _bug("57-replay-joins-twice", "dead letter"),
    _bug("58-pointer-for-one-device", "lost"),
    _bug("59-rebuild-reads-on", "disordered", scenario="group-goes-on-under-a-rebuild"),
)
