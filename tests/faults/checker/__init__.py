"""The judge of a run: what the clients saw and what the servers hold at its end, against what the contract promises."""

from tests.faults.checker.judge import check
from tests.faults.checker.report import Finding, Report, describe_findings
from tests.faults.checker.rights import Block

__all__ = ["Block", "Finding", "Report", "check", "describe_findings"]
