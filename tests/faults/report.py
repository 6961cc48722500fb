"""What a fault run found, for people in a terminal and for scripts as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import orjson

from tests.faults.checker import Finding, Report, describe_findings
from tests.faults.lateness import FaultLateness, Lateness

# The kinds of findings that the first line names even when there are none, and what it calls them.
NAMED = {
    "lost": "lost",
    "doubled": "doubled",
    "disordered": "disordered",
    "no ✓✓": "✓✓ missing",
    "left in an inbox": "left in inboxes",
    "kept": "kept too long",
    "no right": "without right",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Under which a run took place; `again` is the command that repeats it."""

    site: str
    seed: int
    seconds: float
    again: str
    versions: Mapping[str, str]
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run found: the checker's report, and what only the run could see."""

    circumstances: Circumstances
    report: Report
    mishaps: tuple[Finding, ...]
    lateness: Lateness
    faults: tuple[FaultLateness, ...]
    not_struck: tuple[str, ...]
    says: Mapping[str, str]  # what each kind of fault does
    acts: Mapping[str, int]
    error_codes: Mapping[str, int]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every broken promise."""
        return (*self.report.findings, *self.mishaps)

    @property
    def is_clean(self) -> bool:
        """Whether every promise held."""
        return not self.findings

    def verdict(self) -> str:
        """One line: how many of each finding."""
        found = Counter(finding.kind for finding in self.findings)
        parts = [f"{name} {found.pop(kind, 0)}" for kind, name in NAMED.items()]
        parts += [f"{kind} {times}" for kind, times in sorted(found.items())]
        return f"{'HELD' if self.is_clean else 'BROKEN'}: {', '.join(parts)}"

    def text(self) -> str:
        """The whole outcome for people."""
        around = self.circumstances
        parts = [
            self.verdict(),
            "",
            f"site       {around.site}",
            f"seed       {around.seed}, {around.seconds:.0f} s",
            f"again      {around.again}",
            f"versions   {', '.join(f'{name} {version}' for name, version in around.versions.items())}",
            f"folder     {around.folder}",
            f"messages   {_list_counts(self.report.counts)}",
            f"acts       {_list_counts(self.acts)}",
            f"errors     {_list_counts(self.error_codes) or 'none'}",
            f"waits      {self.lateness.tick:.1f} s for ✓, {self.lateness.arrival:.1f} s for arrival, at the longest, "
            "what people slept included",
            "",
            format_faults(self.faults),
        ]
        parts += [f"{kind}: {text}" for kind, text in sorted(self.says.items())]
        if self.not_struck:
            parts.append(f"not struck in this time: {', '.join(self.not_struck)}")
        return "\n".join([*parts, "", *describe_findings(self.findings), self.verdict()])

    def json(self) -> bytes:
        """The whole outcome as JSON, every finding included."""
        return orjson.dumps(
            {
                "clean": self.is_clean,
                "verdict": self.verdict(),
                "circumstances": asdict(self.circumstances),
                "counts": dict(self.report.counts),
                "acts": {str(act): times for act, times in self.acts.items()},
                "error_codes": dict(self.error_codes),
                "lateness": asdict(self.lateness),
                "faults": [asdict(fault) for fault in self.faults],
                "not_struck": self.not_struck,
                "says": dict(self.says),
                "findings": [{"kind": finding.kind, "detail": finding.detail} for finding in self.findings],
            },
            option=orjson.OPT_INDENT_2,
        )


def format_faults(faults: Sequence[FaultLateness]) -> str:
    """A table with a line for each kind of fault."""
    if not faults:
        return "no fault was inflicted"
    width = max(len("fault"), *(len(fault.kind) for fault in faults))
    heads = ("times", "longest without ✓ s", "without delivery s", "recovery p50 s", "longest s")
    lines = [f"{'fault':<{width}}  " + "  ".join(heads)]
    for fault in faults:
        cells = (
            str(fault.times),
            f"{fault.without_tick:.1f}",
            f"{fault.without_delivery:.1f}",
            f"{fault.recovery_p50:.1f}",
            f"{fault.recovery_longest:.1f}",
        )
        line = "  ".join(f"{cell:>{len(head)}}" for cell, head in zip(cells, heads, strict=True))
        missing = f"  {fault.unrecovered} did not recover" if fault.unrecovered else ""
        lines.append(f"{fault.kind:<{width}}  {line}{missing}")
    return "\n".join(lines)


def _list_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in counts.items())
