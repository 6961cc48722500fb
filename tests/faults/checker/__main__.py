"""Judges a run from its files: `python -m tests.faults.checker histories.jsonl --end-state end_state.json`."""

import argparse
import sys
from pathlib import Path

from tests.faults.checker.judge import check
from tests.faults.checker.reading import read_end_state, read_records
from tests.faults.checker.report import Report

HELD, BROKEN, UNREADABLE = 0, 1, 2
DESCRIPTION = """\
Judges what the clients of a run saw, and what its servers still held at rest, against what the contract promises.
A fault run leaves both files in its report folder.

Exit code 0: every promise held. 1: a promise was broken. 2: the input cannot be read or judged.
"""


def main(arguments: list[str]) -> int:
    """Read, judge, print the report, write it down, and give the exit code."""
    options = _parse(arguments)
    try:
        report = _judge(options.histories, options.end_state)
        _write(report, options.report, options.json)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    print(report.text())
    return HELD if report.is_clean else BROKEN


def _judge(histories: list[Path], end_state: Path | None) -> Report:
    records = read_records(histories)
    document = None if end_state is None else read_end_state(end_state)
    return check(records.histories, blocks=records.blocks, end_state=document)


def _write(report: Report, text_path: Path | None, json_path: Path | None) -> None:
    if text_path is not None:
        text_path.write_text(report.text() + "\n")
        json_path = json_path or text_path.with_name(f"{text_path.stem}.json")
    if json_path is not None:
        json_path.write_bytes(report.json())


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.checker",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "histories", type=Path, nargs="+", metavar="HISTORIES", help="JSON lines, a device or block each"
    )
    parser.add_argument("--end-state", type=Path, metavar="FILE", help="what the servers held at rest, as JSON")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report there, and its JSON beside it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all findings there as JSON")
    options = parser.parse_args(arguments)
    if options.json is None and options.report is not None and options.report.suffix == ".json":
        parser.error("--report is the text: its JSON would stand in the same file; give --json or another name")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
