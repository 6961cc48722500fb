"""The production profile, ready to be broken."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from tests.client.line import Line, LineThread
from tests.faults.nemesis.base import LONG, Fault, Lengths, StrikeableSite, open_in_thread
from tests.faults.nemesis.clocks import StepClock
from tests.faults.nemesis.disks import FillDisk
from tests.faults.nemesis.files import EmptyCache, FlushCache, LosePower, TearFile
from tests.faults.nemesis.lines import list_line_faults
from tests.faults.nemesis.parts import KeptPart, ProcessPart
from tests.faults.nemesis.processes import Kill, KillPair, Pause
from tests.faults.nemesis.shim import Shim
from tests.rehearsal.engines import Engines, running_engines
from tests.rehearsal.site import GATEWAYS, RELAYS, WORKERS, ProductionSite, running_site_on
from tests.servers.process import server_folder

COUNTS = {"gateway": GATEWAYS, "relay": RELAYS, "worker": WORKERS}
REACHED = {
    "gateway": ("cache", "kafka", "postgresql"),
    "relay": ("cache", "kafka", "postgresql", "store"),
    "worker": ("cache", "store"),
}
"""Which servers are reached over lines that can be broken, by whom."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A line from each process of the product to each server, and one from the clients."""

    by_hosts: dict[tuple[str, str], list[Line]] = field(default_factory=dict)
    """From a process to a server; one for each broker, where the server is Kafka."""

    def all(self) -> list[Line]:
        """Every line."""
        return [line for lines in self.by_hosts.values() for line in lines]

    def close(self) -> None:
        """End every line."""
        for line in self.all():
            line.close()

    def bundles(self) -> Mapping[str, list[list[Line]]]:
        """What can be broken: the lines of each kind of process to a server by hosts, and those to each broker."""
        found = {
            f"{kind}-{server}": [self.by_hosts[f"{kind}-{number}", server] for number in range(1, count + 1)]
            for kind, count in COUNTS.items()
            for server in REACHED[kind]
        }
        to_kafka = [lines for (_, server), lines in self.by_hosts.items() if server == "kafka"]
        found["all-broker"] = [list(to_broker) for to_broker in zip(*to_kafka, strict=True)]
        return found


def production_site(
    lengths: Lengths = LONG, **variables: str | int
) -> AbstractAsyncContextManager[StrikeableSite[ProductionSite]]:
    """Start the rehearsal; faults that hold for a time hold as long as `lengths` says.

    Raises ShimMissing where there is no C compiler.
    """
    return open_in_thread(_running(lengths, variables))


@contextlib.contextmanager
def _running(lengths: Lengths, variables: dict[str, str | int]) -> Iterator[StrikeableSite[ProductionSite]]:
    with contextlib.ExitStack() as stack:
        shim = Shim(stack.enter_context(server_folder("shim")))

        def variables_of(name: str) -> Mapping[str, str]:
            shim.page(name)
            return shim.environment(name)

        thread = LineThread()
        stack.callback(thread.close)
        engines = stack.enter_context(running_engines(variables_of=variables_of))
        lines = Lines()
        stack.callback(lines.close)
        _lay_lines(lines, shim, thread, engines)
        site = stack.enter_context(running_site_on(engines, None, variables_of, variables))
        front = Line(thread, site.edge.https_port)
        stack.callback(front.close)
        site.lead_through(front.port)
        faults = [*_list_faults(site, shim, lengths), *list_line_faults("clients-nginx", [[front]], lengths)]
        for target, bundles in lines.bundles().items():
            faults += list_line_faults(target, bundles, lengths)
        healers = [shim.heal, front.heal, *(line.heal for line in lines.all())]
        yield StrikeableSite(site=site, faults=faults, healers=healers)


def _lay_lines(lines: Lines, shim: Shim, thread: LineThread, engines: Engines) -> None:
    # Each server by the ports that it is asked for and those where it is.
    ports = {
        "cache": {engines.valkey.port: engines.valkey.port},
        "kafka": {port: port for port in engines.kafka.ports},
        "postgresql": {engines.postgresql.port: engines.postgresql.port},
        "store": {engines.store_line.port: engines.mongo.port},
    }
    for kind, count in COUNTS.items():
        for number in range(1, count + 1):
            ways: dict[str, int] = {}
            for server in REACHED[kind]:
                laid = {asked: Line(thread, there) for asked, there in ports[server].items()}
                lines.by_hosts[f"{kind}-{number}", server] = list(laid.values())
                ways |= {str(asked): line.port for asked, line in laid.items()}
            shim.redirect(f"{kind}-{number}", ways)


def _list_faults(site: ProductionSite, shim: Shim, lengths: Lengths) -> list[Fault]:
    engines = site.engines
    gateways, relays, workers = (
        [KeptPart(process, site.keeper) for process in processes]
        for processes in (site.gateways, site.relays, site.workers)
    )
    cache, postgresql = ProcessPart(engines.valkey.process), ProcessPart(engines.postgresql.process)
    brokers = [ProcessPart(broker) for broker in engines.kafka.brokers]
    lasting = [*gateways, *relays, *workers, *brokers, cache, postgresql]
    faults: list[Fault] = [Kill(part) for part in (*lasting, KeptPart(site.beat, site.keeper))]
    pairs = ((*gateways,), (*relays,), (gateways[0], relays[0]), (brokers[0], cache), (cache, postgresql))
    faults += [KillPair(*pair) for pair in pairs]
    # What the store's server holds is in its memory: it can be paused and cut off, not killed.
    faults += [Pause(part, lengths) for part in (*lasting, ProcessPart(engines.mongo.process))]
    faults += [FillDisk(part, shim.page(part.name), lengths) for part in (*brokers, cache, postgresql)]
    stepped = (*gateways, *relays, cache, brokers[0])
    faults += [StepClock(part.name, [shim.page(part.name)], lengths) for part in stepped]
    files = engines.valkey.process.folder / "appendonlydir"
    faults += [
        LosePower(cache, files, shim),
        TearFile(cache, files),
        EmptyCache(cache, files),
        FlushCache(cache.name, site.cache),
    ]
    return faults
