"""The command line of a fault run."""

import argparse
import random
import shlex
from dataclasses import dataclass
from pathlib import Path

PROFILES = ("embedded", "production")
DESCRIPTION = """\
Forty people, each with one to three devices, write to each other, reconnect, sleep, log in on new devices and log out
old ones, block each other and change what is kept, while one fault after another strikes the site's processes and
lines. In the end all is healed, everybody comes online, and the checker judges what the clients saw and what the
servers still hold.

Exit code 0: every promise held. 1: a promise was broken. 2: the run could not be made or judged.
"""
EPILOG = """\
examples:
  a site of its own, started and broken here:
    python -m tests.faults.run --profile embedded --minutes 10 --seed 7
  the same with two kinds of faults only (--list-faults names them):
    python -m tests.faults.run --profile production --minutes 5 --only kill,pause
  somebody's own deployment, broken by hand meanwhile, with accounts of `manage.py addusers --count 40 --out FILE`:
    python -m tests.faults.run --url https://chat.example --accounts FILE --minutes 10

On a deployment nothing is broken from here and only what the clients saw is judged. Keep below its limits
(RATE_LIMIT_PER_MINUTE for each person, CONNECTIONS_PER_MINUTE_PER_ADDRESS for all of them): what is refused for now is
sent again, and tells nothing. A line of FILE may carry a "password" too; its owner then logs in on new devices. The
accounts belong to the run: nobody else may write to them meanwhile, and devices of theirs that the run does not know
are logged out in the end.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; `url` is None where the run starts a site of `profile` itself."""

    profile: str
    minutes: float
    seed: int
    users: int
    rate: float = 60.0
    rounds: int = 0
    only: tuple[str, ...] = ()
    list_faults: bool = False
    report_dir: Path | None = None
    url: str | None = None
    accounts: Path | None = None
    cafile: Path | None = None

    def again(self) -> str:
        """The command that repeats the run."""
        words = ["python", "-m", "tests.faults.run"]
        if self.url is None:
            words += ["--profile", self.profile, "--users", str(self.users)]
        else:
            words += ["--url", self.url, "--accounts", str(self.accounts)]
        words += ["--minutes", f"{self.minutes:g}", "--seed", str(self.seed), "--rate", f"{self.rate:g}"]
        if self.rounds:
            words += ["--rounds", str(self.rounds)]
        if self.only:
            words += ["--only", ",".join(self.only)]
        return shlex.join(words)


def parse_options(arguments: list[str]) -> Options:
    """Read the command line; ends the program with a message where it does not fit."""
    parser = _build_parser()
    found = parser.parse_args(arguments)
    if (found.url is None) != (found.accounts is None):
        parser.error("--url and --accounts go together")
    if found.url is not None and found.only:
        parser.error("--only is for a site of its own: nothing is broken on a deployment")
    return Options(
        profile=found.profile,
        minutes=found.minutes,
        seed=random.SystemRandom().randrange(2**32) if found.seed is None else found.seed,
        users=found.users,
        rate=found.rate,
        rounds=found.rounds,
        only=tuple(kind.strip() for kind in found.only.split(",")) if found.only else (),
        list_faults=found.list_faults,
        report_dir=found.report_dir,
        url=None if found.url is None else found.url.rstrip("/"),
        accounts=found.accounts,
        cafile=found.cafile,
    )


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.run",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", choices=PROFILES, default="embedded", help="which site to start (embedded)")
    parser.add_argument(
        "--minutes", type=positive_number, default=10.0, help="how long people write; start and end add to it"
    )
    parser.add_argument("--seed", type=int, help="draws people, their steps and the faults; default: drawn, and told")
    parser.add_argument("--users", type=number_of_people, default=40, help="people, two or more (40)")
    parser.add_argument(
        "--rate", type=positive_number, default=60.0, help="messages a second, of all people together (60)"
    )
    parser.add_argument("--rounds", type=int, default=0, help="at least so many rounds of every kind of fault (0)")
    parser.add_argument("--only", metavar="KIND,…", help="only these kinds of faults; --list-faults names them")
    parser.add_argument(
        "--list-faults", action="store_true", help="say what can be done to the profile's site, and end"
    )
    parser.add_argument(
        "--report-dir", type=Path, metavar="DIR", help="where the report, its JSON and the histories go"
    )
    foreign = parser.add_argument_group("somebody's own deployment, which nothing breaks from here")
    foreign.add_argument("--url", help="its address, as https://chat.example")
    foreign.add_argument("--accounts", type=Path, metavar="FILE", help="JSON lines of `manage.py addusers --out FILE`")
    foreign.add_argument("--cafile", type=Path, metavar="FILE", help="PEM of the authority that made its certificate")
    return parser


def positive_number(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def number_of_people(text: str) -> int:
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{text} people cannot write to each other")
    return number
