"""`python -m benchmarks.fanout.large_group`: a group of 100,000, and a thousand of its members who poll it."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

import httpx
import orjson

from apps.loadtest.connection import Address, LoadConnection
from apps.loadtest.figures import compute_quantiles, format_quantiles
from apps.loadtest.load import run_on_uvloop
from apps.loadtest.pair import Account
from benchmarks.pipeline.processes import read_cpu_seconds, subtract
from tests.client.server import Server, running_server

CHUNK = 400
WARM_UP = 3
"""Polls of each that are not counted: at first the server knows nobody."""

FILL = """
from apps.accounts.models import User
from apps.groups.models import Group, Member
group = Group.objects.get(pk="{group_id}")
users = [User(username=f"crowd{{n}}", display_name="x", avatar_color="#000000") for n in range({count})]
User.objects.bulk_create(users, batch_size=500)
rows = [Member(group=group, user=user, from_sequence=1) for user in users]
Member.objects.bulk_create(rows, batch_size=500)
group.member_count += len(users)
group.is_polled = True
group.save()
"""


def create_large_group(server: Server, accounts: Sequence[Account], members: int) -> str:
    """A group of these accounts and so many others, who are only rows."""
    headers = {"Authorization": f"Token {accounts[0].token}"}
    ids = [account.user_id for account in accounts[1:]]
    with httpx.Client(base_url=f"{server.base_url}/api/", headers=headers, timeout=60) as client:
        answer = client.post("groups", json={"name": "Crowd", "members": ids[:CHUNK]}).raise_for_status()
        group_id = str(answer.json()["group_id"])
        for start in range(CHUNK, len(ids), CHUNK):
            body = {"user_ids": ids[start : start + CHUNK]}
            client.post(f"groups/{group_id}/members", json=body).raise_for_status()
    server.manage("shell", "-v", "0", "-c", FILL.format(group_id=group_id, count=members - len(accounts)))
    with httpx.Client(base_url=f"{server.base_url}/api/", headers=headers, timeout=60) as client:
        # A change by the ordinary way makes every gateway forget what it knew of the group.
        client.patch(f"groups/{group_id}", json={"name": "A large crowd"}).raise_for_status()
    return group_id


class Poller:
    """A keep-alive HTTP/1.1 connection that asks for what is new, for as little CPU as may be."""

    def __init__(self, address: Address, group_id: str, account: Account, took: list[float]) -> None:
        self._address = address
        self._group_id = group_id
        self._account = account
        self._took = took
        self.seen = 0
        self._since = 0

    async def run(self, interval: float, first: float, ends_at: float) -> None:
        """Poll at equal intervals until a time of the loop."""
        reader, writer = await asyncio.open_connection(self._address.host, self._address.port)
        at = time.perf_counter() + first
        while at < ends_at:
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            began = time.perf_counter()
            path = f"/api/chat/{self._group_id}?timestamp={self._since}&limit=20"
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {self._account.token}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = orjson.loads(await reader.readexactly(length))
            self._took.append(time.perf_counter() - began)
            if b" 200 " not in head[:20]:
                raise RuntimeError(f"{head.decode()}{body}")
            if body["results"]:
                self.seen += len(body["results"])
                self._since = body["results"][-1]["timestamp"]
            at += interval
        writer.close()


async def measure(server: Server, accounts: Sequence[Account], group_id: str, options: argparse.Namespace) -> int:
    """Write to the group while everybody polls."""
    address = Address(host="127.0.0.1", port=server.port)
    ticks: list[float] = []

    def take(connection: LoadConnection, texts: list[bytes]) -> None:
        ticks.extend(time.perf_counter() for text in texts if text.startswith(b'{"action":"message_received"'))

    sender = await LoadConnection.open(address, accounts[0].token, take)
    took: list[float] = []
    pollers = [Poller(address, group_id, account, took) for account in accounts]
    ends_at = time.perf_counter() + options.interval + options.seconds
    before, own = read_cpu_seconds(server.processes), time.process_time()
    tasks = [
        asyncio.create_task(poller.run(options.interval, options.interval * number / len(pollers), ends_at))
        for number, poller in enumerate(pollers)
    ]
    sent = 0
    while time.perf_counter() < ends_at - 2:
        frame = {"action": "send_message", "group_id": group_id, "content": f"{sent}", "timestamp": 1}
        sender.send_text(orjson.dumps(frame | {"message_id_by_client": time.time_ns() // 1000}))
        sent += 1
        await asyncio.sleep(1 / options.rate)
    await asyncio.gather(*tasks)
    used, own = subtract(read_cpu_seconds(server.processes), before), time.process_time() - own
    warm = took[WARM_UP * len(pollers) :]
    quantiles = compute_quantiles(warm)
    seconds = options.interval + options.seconds
    print(
        f"{options.members:,} members, {len(pollers):,} poll every {options.interval:g} s: "
        f"{len(took) / seconds:.0f} polls/s, ms p50/p95/p99 {format_quantiles(quantiles)}, "
        f"longest {quantiles.longest or 0:.0f}; {sent} messages, {len(ticks)} ✓"
    )
    print("CPU seconds: " + "  ".join(f"{role} {each:.1f}" for role, each in used.items()) + f"  (client {own:.1f})")
    sender.close()
    return 0 if len(ticks) >= sent - 2 else 1


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout.large_group", description=__doc__)
    parser.add_argument("--members", type=int, default=100_000, help="members (100,000)")
    parser.add_argument("--pollers", type=int, default=1_000, help="of them, who poll (1,000)")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between two polls of one (2)")
    parser.add_argument("--rate", type=float, default=2.0, help="messages/s to the group (2)")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured time (20)")
    parser.add_argument("--workers", type=int, default=1, help="gateway processes (1)")
    options = parser.parse_args(arguments)
    with running_server(arguments=("--workers", str(options.workers)), LOG_LEVEL="WARNING") as server:
        accounts = server.add_users(options.pollers)
        group_id = create_large_group(server, accounts, options.members)
        return run_on_uvloop(measure(server, accounts, group_id, options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
