"""The verdict on a run: findings with their stories, for people and as JSON."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

EXAMPLES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken promise: which, and what was seen."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict on one run."""

    counts: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether every promise held."""
        return not self.findings

    def verdict(self) -> str:
        """One line: how many of each finding."""
        found = Counter(finding.kind for finding in self.findings)
        parts = [f"{kind} {found.pop(kind, 0)}" for kind in ("lost", "doubled", "disordered")]
        return ", ".join([*parts, *(f"{kind} {count}" for kind, count in sorted(found.items()))])

    def text(self) -> str:
        """The report for people: the counts, then each kind of finding with its first examples."""
        lines = [self.verdict(), ", ".join(f"{value:,} {name}" for name, value in self.counts.items())]
        lines += describe_findings(self.findings)
        lines.append("every promise held" if self.is_clean else f"BROKEN: {len(self.findings)} findings")
        return "\n".join(lines)

    def json(self) -> bytes:
        """The whole report as JSON, every finding included."""
        return orjson.dumps(
            {
                "clean": self.is_clean,
                "counts": dict(self.counts),
                "findings": [{"kind": finding.kind, "detail": finding.detail} for finding in self.findings],
            },
            option=orjson.OPT_INDENT_2,
        )


def describe_findings(findings: Iterable[Finding]) -> list[str]:
    """A line for each kind of finding, and its first examples below; the JSON has all."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding.detail)
    lines: list[str] = []
    for kind, details in by_kind.items():
        lines.append(f"{kind}: {len(details)}")
        lines += [f"  {detail}" for detail in details[:EXAMPLES_SHOWN]]
    return lines
