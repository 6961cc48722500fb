"""``python -m tests.rehearsal``: the production profile on this machine, until Ctrl-C."""

import argparse
import contextlib
import signal
import sys
from types import FrameType

from tests.rehearsal.site import ProductionSite, running_production_site

DEFAULT_PORT = 8443


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"nginx's port, for https ({DEFAULT_PORT})")
    return parser.parse_args(arguments)


def describe(site: ProductionSite) -> str:
    """What runs where, for people."""
    gateways = ", ".join(gateway.base_url for gateway in site.gateways)
    return "\n".join(
        [
            f"Kafka        {site.engines.kafka.bootstrap}",
            f"MongoDB      {site.engines.mongo.url} (a server that speaks its protocol)",
            f"PostgreSQL   {site.engines.database_url}",
            f"Valkey       {site.engines.valkey.url}",
            f"gateways     {gateways}",
            f"relays       {len(site.relays)}, Celery workers {len(site.workers)}, and one beat",
            f"output       {site.folder}/*/*.out",
            f"ready: {site.base_url}  (its certificate was made just now: let the browser accept it; Ctrl-C stops)",
        ]
    )


def wait_for_interrupt() -> None:
    """Return at Ctrl-C or SIGTERM."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            signal.pause()


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """Both stop it, also where a shell that started it in the background has it ignore SIGINT."""
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Start, say where, and wait."""
    options = parse_arguments(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, raise_interrupt)
    try:
        print("starting Kafka, MongoDB, PostgreSQL, Valkey, nginx and the site …", flush=True)
        with running_production_site(options.port) as site:
            print(describe(site), flush=True)
            wait_for_interrupt()
            print("stopping …", flush=True)
    except KeyboardInterrupt:
        return 130
    except RuntimeError as problem:
        print(f"chatsite: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
