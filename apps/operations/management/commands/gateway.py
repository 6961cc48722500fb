"""``manage.py gateway``: one chat server process."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.gateway.server import listen, run_gateway
from apps.operations.caches import UnsuitableCache, check_caches
from apps.operations.collector import calm_collector


class Command(BaseCommand):
    """Serves HTTP and WebSockets; several processes may share the port."""

    help = "Run one chat server process (HTTP and WebSockets). Several may share the port."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default=settings.CHAT_HOST, help="address to listen on (CHAT_HOST)")
        parser.add_argument("--port", type=int, default=settings.CHAT_PORT, help="port to listen on (CHAT_PORT)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen, then serve until SIGTERM or SIGINT."""
        try:
            check_caches()
            listener = listen(options["host"], options["port"])
        except UnsuitableCache as error:
            raise CommandError(str(error)) from None
        except (OSError, OverflowError) as error:
            raise CommandError(f"cannot listen on {options['host']} port {options['port']}: {error}") from error
        calm_collector()
        run_gateway(
            listener,
            settings.ASGI_APPLICATION.replace(".application", ":application"),
            settings.TRUSTED_PROXIES,
        )
