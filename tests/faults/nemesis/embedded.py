"""The embedded profile, ready to be broken."""

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import redis

from tests.client.line import Line, LineThread
from tests.client.processes import Role
from tests.client.server import Server, running_server
from tests.faults.nemesis.base import LONG, Fault, Lengths, StrikeableSite, open_in_thread
from tests.faults.nemesis.clocks import StepClock
from tests.faults.nemesis.disks import FillDisk
from tests.faults.nemesis.files import EmptyCache, FlushCache, LosePower, TearFile
from tests.faults.nemesis.lines import list_line_faults
from tests.faults.nemesis.parts import EmbeddedPart
from tests.faults.nemesis.processes import Kill, KillPair, Pause
from tests.faults.nemesis.shim import Shim
from tests.servers.process import server_folder

GATEWAYS = 2
LINES = {
    Role.GATEWAY: (Role.CACHE, Role.LOG),
    Role.RELAY: (Role.CACHE, Role.LOG),
    Role.WORKER: (Role.CACHE,),
}
"""Who is reached over a line that can be broken, by whom."""


def embedded_site(
    lengths: Lengths = LONG, **variables: str | int
) -> AbstractAsyncContextManager[StrikeableSite[Server]]:
    """Start `manage.py up` with two gateways; faults that hold for a time hold as long as `lengths` says.

    Raises ShimMissing where there is no C compiler.
    """
    return open_in_thread(_running(lengths, variables))


@contextlib.contextmanager
def _running(lengths: Lengths, variables: dict[str, str | int]) -> Iterator[StrikeableSite[Server]]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(server_folder("shim"))
        shim = Shim(folder)
        data_dir = Path(tempfile.mkdtemp(prefix="chat-", dir="/tmp"))  # short: unix sockets lie in it
        thread = LineThread()
        stack.callback(thread.close)
        lines = _lay_lines(shim, thread, folder, data_dir)
        for line in lines.values():
            stack.callback(line.close)
        for role in Role:
            shim.page(role)
        environment: dict[str, str | int] = {**shim.environment(), **variables}
        arguments = ("--workers", str(GATEWAYS))
        server = stack.enter_context(running_server(arguments=arguments, data_dir=data_dir, **environment))  # type: ignore[arg-type]
        front = Line(thread, server.port)
        stack.callback(front.close)
        server.lead_through(front.port)
        all_lines = {"clients-gateways": front} | lines
        faults = _list_faults(server, shim, all_lines, lengths)
        yield StrikeableSite(
            site=server, faults=faults, healers=[shim.heal, *(line.heal for line in all_lines.values())]
        )


def _lay_lines(shim: Shim, thread: LineThread, folder: Path, data_dir: Path) -> dict[str, Line]:
    lines = {}
    for role, servers in LINES.items():
        ways = {server: folder / f"{role}-{server}.sock" for server in servers}
        shim.redirect(role, {f"{server}.sock": way for server, way in ways.items()})
        for server, way in ways.items():
            lines[f"{role}-{server}"] = Line(thread, data_dir / "run" / f"{server}.sock", way)
    return lines


def _list_faults(server: Server, shim: Shim, lines: dict[str, Line], lengths: Lengths) -> list[Fault]:
    parts = {role: EmbeddedPart(server, role) for role in Role}
    cache = parts[Role.CACHE] = EmbeddedPart(server, Role.CACHE, partial(_answers, server, Role.CACHE))
    log = parts[Role.LOG] = EmbeddedPart(server, Role.LOG, partial(_answers, server, Role.LOG))
    faults: list[Fault] = [Kill(part) for part in parts.values()]
    faults += [KillPair(log, cache), KillPair(parts[Role.GATEWAY], parts[Role.RELAY])]
    faults += [Pause(part, lengths) for role, part in parts.items() if role is not Role.BEAT]
    for target, line in lines.items():
        faults += list_line_faults(target, [[line]], lengths)
    # The disk of the relay and of the gateways is that of the databases.
    filled = (log, cache, parts[Role.RELAY], parts[Role.GATEWAY])
    faults += [FillDisk(part, shim.page(part.name), lengths) for part in filled]
    faults += [StepClock(role, [shim.page(role)], lengths) for role in (Role.GATEWAY, Role.RELAY, Role.CACHE, Role.LOG)]
    files = {name: server.data_dir / "valkey" / name / "appendonlydir" for name in ("cache", "log")}
    faults += [
        LosePower(log, files["log"], shim),
        LosePower(cache, files["cache"], shim),
        TearFile(cache, files["cache"]),
        EmptyCache(cache, files["cache"]),
        FlushCache(cache.name, server.cache),
    ]
    return faults


def _answers(server: Server, role: Role) -> bool:
    try:
        with server.valkey(role.value) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
