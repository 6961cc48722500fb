"""The production profile as one thing that a test can hold, break and ask."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import redis

from tests.client.options import Account, ClientOptions
from tests.client.processes import wait_until
from tests.client.site import Site, build_environment
from tests.rehearsal.engines import Engines, running_engines
from tests.rehearsal.keeper import Keeper
from tests.rehearsal.parts import Gateway, build_beat, build_relay, build_worker
from tests.servers.edge import DOMAIN, Edge, running_edge
from tests.servers.process import FurtherVariables, ServerProcess, no_variables, server_folder

GATEWAYS = RELAYS = WORKERS = 2
RELAY_GROUP = "chatsite.relay"  # as Kafka knows it
READY_TIMEOUT = 120.0
SET_UP = (("migrate", "--no-input"), ("setup_log",), ("setup_store",))


class ProductionSite(Site):
    """Two gateways behind nginx, two relays, two Celery workers and a beat, on the engines.

    Each of its processes that ends by itself is started again; `keeper` counts that.
    """

    def __init__(
        self,
        engines: Engines,
        edge: Edge,
        environment: dict[str, str],
        folder: Path,
        keeper: Keeper,
        variables_of: FurtherVariables = no_variables,
    ) -> None:
        super().__init__(edge.origin, environment, edge.tls_context())
        self.engines = engines
        self.edge = edge
        self.keeper = keeper
        self.client_options = ClientOptions(tls=self.tls)
        self.gateways: list[Gateway] = []
        self.relays: list[ServerProcess] = []
        self.workers: list[ServerProcess] = []
        self.beat: ServerProcess
        self.folder = folder
        self._variables_of = variables_of

    def url_for(self, account: Account) -> str:
        """The socket's address with the user as a hint for nginx, as the browser app gives it."""
        return f"{self.url}?user={account.user_id}"

    def lead_through(self, port: int) -> None:
        """Send clients to another port of this machine, from which a proxy leads to nginx."""
        self.base_url = f"https://{DOMAIN}:{port}"
        self.url = f"wss://{DOMAIN}:{port}/ws/chat/"

    def start_relay(self) -> ServerProcess:
        """One relay more; stop it by `stop_relay`."""
        number = 1 + max((int(relay.name.rpartition("-")[2]) for relay in self.relays), default=0)
        relay = build_relay(number, self._home(f"relay-{number}"), self._environment_of(f"relay-{number}"))
        self.keeper.start(relay)
        self.relays.append(relay)
        return relay

    def stop_relay(self, relay: ServerProcess) -> int | None:
        """SIGTERM a relay for good; gives its exit code."""
        self.relays.remove(relay)
        return self.keeper.stop(relay)

    def wait_shared_out(self, timeout: float = READY_TIMEOUT) -> None:
        """Wait until every relay has partitions; raises TimeoutError."""

        def is_shared_out() -> bool:
            shares = self.engines.kafka.list_members(RELAY_GROUP).values()
            return len(shares) == len(self.relays) and all(shares)

        wait_until(is_shared_out, f"partitions at {len(self.relays)} relays", timeout, every=0.2)

    def find_missing_parts(self) -> dict[str, str]:
        """What any gateway says is not well: part and detail."""
        return {name: detail for gateway in self.gateways for name, detail in gateway.find_missing_parts().items()}

    def wait_ready(self, timeout: float = READY_TIMEOUT) -> None:
        """Wait until every gateway says that all is well; raises TimeoutError that names what is not."""
        try:
            wait_until(lambda: not self.find_missing_parts(), "a site that is ready", timeout, every=0.2)
        except TimeoutError as error:
            error.add_note(f"missing: {self.find_missing_parts()}")
            raise

    def cache(self) -> redis.Redis:
        """A client of the Valkey of inboxes and registry."""
        return self.engines.valkey.client()

    def output_of_parts(self) -> dict[str, str]:
        """What each of the product's processes has printed."""
        return {path.stem: path.read_text(errors="replace") for path in sorted(self.folder.glob("*/*.out"))}

    def start_parts(self, gateways: list[Gateway]) -> None:
        """Start the product's processes on servers that have been set up."""
        self.gateways += gateways
        self.keeper.start(*gateways)
        for _ in range(RELAYS):
            self.start_relay()
        for number in range(1, WORKERS + 1):
            name = f"worker-{number}"
            self.workers.append(build_worker(number, self._home(name), self._environment_of(name)))
        self.beat = build_beat(self._home("beat"), self._environment_of("beat"))
        self.keeper.start(*self.workers, self.beat)

    def _home(self, name: str) -> Path:
        return _make_home(self.folder, name)

    def _environment_of(self, name: str) -> dict[str, str]:
        return dict(self.environment) | {"CHAT_DATA_DIR": str(self._home(name))} | dict(self._variables_of(name))


@contextlib.contextmanager
def running_production_site(port: int | None = None, **variables: str | int) -> Iterator[ProductionSite]:
    """Start everything, and stop it in the end; `port` is nginx's, `variables` are further environment variables."""
    with running_engines() as engines, running_site_on(engines, port, variables=variables) as site:
        yield site


@contextlib.contextmanager
def running_site_on(
    engines: Engines,
    port: int | None = None,
    variables_of: FurtherVariables = no_variables,
    variables: Mapping[str, str | int] = MappingProxyType({}),
) -> Iterator[ProductionSite]:
    """Start all but the engines, and stop it in the end.

    `variables` are further environment variables, `variables_of` those that only the process of a name has.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(server_folder("site"))
        given = {"TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "INFO", **engines.variables(), **variables}
        environment = build_environment(_make_home(folder, "operator"), 8000, given)
        gateways = [
            Gateway(
                number,
                home := _make_home(folder, f"gateway-{number}"),
                environment | {"CHAT_DATA_DIR": str(home)} | dict(variables_of(f"gateway-{number}")),
            )
            for number in range(1, GATEWAYS + 1)
        ]
        edge = stack.enter_context(running_edge([gateway.port for gateway in gateways], https_port=port))
        site = ProductionSite(engines, edge, environment, folder, stack.enter_context(Keeper()), variables_of)
        for command in SET_UP:
            site.manage(*command)
        site.start_parts(gateways)
        site.wait_ready()
        yield site


def _make_home(folder: Path, name: str) -> Path:
    """The folder of one process, which would be on a host of its own."""
    home = folder / name
    home.mkdir(exist_ok=True)
    return home
