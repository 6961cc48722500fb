"""``manage.py up``: the whole site under one supervisor."""

import argparse
import os
import resource
import sys
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import connections

from apps.observability.process_slots import open_shared_folder
from apps.operations.caches import UnsuitableCache, check_caches
from apps.operations.console import Console
from apps.operations.embedded_site import SiteDirector, SitePlan, list_parts
from apps.operations.embedded_valkey import EmbeddedValkey, list_embedded_valkeys
from apps.operations.preflight import (
    CannotStart,
    check_databases_answer,
    check_port_is_free,
    hold_data_folder,
    list_own_databases,
    prepare_valkey,
    set_up_message_store,
)
from apps.operations.supervision import PartsSupervisor

DESCRIPTORS_WANTED = 65_536


def port_number(text: str) -> int:
    """Parse a TCP port; 0 is refused, since nobody could know the address then."""
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: it takes a whole number, 1 to 65535")
    return int(text)


def worker_count(text: str) -> int:
    """Parse the number of gateway processes."""
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of gateways: it takes 1 to 64")
    return int(text)


class Command(BaseCommand):
    """Starts what the environment does not point elsewhere, restarts what dies, stops all on Ctrl-C."""

    help = "Start the whole site: servers, migrations, gateways, relay, Celery worker and beat. Ctrl-C stops all."
    # The databases may not exist yet; `up` reports what is in the way by itself.
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's own declaration)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default=settings.CHAT_HOST, help="address to listen on (default: CHAT_HOST)")
        parser.add_argument("--port", type=port_number, default=settings.CHAT_PORT, help="default: CHAT_PORT")
        parser.add_argument("--workers", type=worker_count, default=1, help="gateway processes, sharing the port")
        parser.add_argument("--demo", action="store_true", help="make two users who talk to each other")

    def handle(self, *, host: str, port: int, workers: int, demo: bool, **options: Any) -> None:
        """Run until a signal comes or a part cannot start."""
        plan = SitePlan(host=host, port=port, workers=workers, demo=demo)
        console = Console(sys.stdout)
        try:
            with hold_data_folder(settings.CHAT_DATA_DIR):
                self._run(plan, console)
        except (CannotStart, UnsuitableCache) as error:
            raise CommandError(str(error)) from None

    def _run(self, plan: SitePlan, console: Console) -> None:
        servers = list_embedded_valkeys()
        self._prepare(plan, servers, console)
        director = SiteDirector(plan, servers, console)
        supervisor = PartsSupervisor(
            list_parts(plan, servers), folder=settings.CHAT_DATA_DIR / "run", console=console, director=director
        )
        supervisor.run_until_stopped()
        console.say("stopped")
        if director.failure:
            raise CannotStart(director.failure)

    def _prepare(self, plan: SitePlan, servers: list[EmbeddedValkey], console: Console) -> None:
        check_port_is_free(plan.host, plan.port)
        (settings.CHAT_DATA_DIR / "run").mkdir(mode=0o700, exist_ok=True)
        for server in servers:
            prepare_valkey(server)
        check_caches()
        _share_metrics()
        check_databases_answer()
        console.say("bringing the databases up to date")
        for alias in list_own_databases():
            call_command("migrate", database=alias, interactive=False, verbosity=0)
        set_up_message_store()
        # What follows forks; an open SQLite connection must not be carried into a child.
        connections.close_all()
        _raise_descriptor_limit()


def _raise_descriptor_limit() -> None:
    """Let children hold as many sockets as the machine allows, within reason."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _share_metrics() -> None:
    """The gateways' ``/metrics`` shows all parts, so none of them serves a port of its own."""
    open_shared_folder(settings.CHAT_DATA_DIR / "run" / "metrics")
    os.environ["METRICS_PORT"] = "0"
