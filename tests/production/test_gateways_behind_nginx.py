"""Two gateways of one site behind the site's own nginx: people, their addresses and their cookies."""

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence

import httpx
import pytest
import redis
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.client.chat_client import ChatClient
from tests.client.options import Account, ClientOptions
from tests.client.people import PASSWORD, AccountPool, Person
from tests.client.polling import PollingChatClient
from tests.client.raw_socket import raw_socket
from tests.client.server import Server, running_server
from tests.client.site import Site
from tests.faults.checker import check
from tests.rehearsal.parts import Gateway
from tests.servers.edge import REFUSE_UPGRADES, Edge, running_edge
from tests.servers.process import running, server_folder

pytestmark = pytest.mark.production

FORGED = "203.0.113.7"
MOST_PEOPLE = 30


class EdgeSite(Site):
    """The embedded site, reached by two more gateways of its own behind nginx."""

    def __init__(self, server: Server, gateways: Sequence[Gateway], edge: Edge) -> None:
        super().__init__(edge.origin, server.environment, edge.tls_context())
        self.gateways = gateways
        self.edge = edge
        self._server = server

    def cache(self) -> contextlib.AbstractContextManager[redis.Redis]:
        """A client of the embedded Valkey of inboxes and registry."""
        return self._server.cache()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(
        TRUSTED_PROXIES="127.0.0.1", ALLOWED_HOSTS="localhost,127.0.0.1", CSRF_TRUSTED_ORIGINS=""
    ) as running_site:
        yield running_site


@pytest.fixture(scope="module")
def gateways(server: Server) -> Iterator[list[Gateway]]:
    with server_folder("gateways") as folder:
        gateways = [Gateway(number, folder, server.environment) for number in (1, 2)]
        with running(*gateways):
            yield gateways


@pytest.fixture(scope="module")
def site(server: Server, gateways: list[Gateway]) -> Iterator[EdgeSite]:
    with running_edge([gateway.port for gateway in gateways]) as edge:
        yield EdgeSite(server, gateways, edge)


@pytest.fixture(autouse=True)
def trusted_certificate(site: EdgeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every client of these tests trust the certificate; all edges of one run share it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(site.edge.certificate))


@pytest.fixture(scope="module")
def accounts(server: Server) -> AccountPool:
    return AccountPool(server)


def connecting(site: EdgeSite, account: Account) -> ChatClient:
    """A client that gives its user as a hint, as the browser app does."""
    return ChatClient(f"{site.url}?user={account.user_id}", account, ClientOptions(tls=site.tls))


def gateway_of(client: ChatClient) -> str:
    """The gateway of the client's last connection."""
    return next(str(frame["server_id"]) for frame in reversed(client.history.frames) if frame["action"] == "connected")


async def take_two_apart(site: EdgeSite, accounts: AccountPool) -> tuple[Account, Account]:
    """Two people whom the hash sends to different gateways."""
    by_gateway: dict[str, Account] = {}
    for account in accounts.take(MOST_PEOPLE):
        async with connecting(site, account) as client:
            by_gateway[gateway_of(client)] = account
        if len(by_gateway) == 2:
            ann, bob = by_gateway.values()
            return ann, bob
    raise AssertionError(f"{MOST_PEOPLE} people were all sent to one gateway")


async def test_two_people_on_two_gateways_chat_and_each_comes_back_to_the_same(
    site: EdgeSite, accounts: AccountPool
) -> None:
    ann, bob = await take_two_apart(site, accounts)
    seen: dict[str, set[str]] = defaultdict(set)
    async with connecting(site, ann) as a, connecting(site, bob) as b:
        for number in range(4):
            a.send(b.user_id, f"from Ann {number}")
            b.send(a.user_id, f"from Bob {number}")
            await a.wait_delivered(30)
            await b.wait_delivered(30)
            for client in (a, b):
                seen[client.user_id].add(gateway_of(client))
                await client.stop(cut=True)
                await client.start()
    assert [len(gateways) for gateways in seen.values()] == [1, 1]
    assert seen[ann.user_id] != seen[bob.user_id]
    report = check([a.history, b.history])
    assert report.is_clean, report.text()


async def test_when_a_gateway_is_killed_its_people_go_on_at_the_other(site: EdgeSite, accounts: AccountPool) -> None:
    ann, bob = await take_two_apart(site, accounts)
    async with connecting(site, ann) as a, connecting(site, bob) as b:
        home, other = gateway_of(a), gateway_of(b)
        victim = next(gateway for gateway in site.gateways if f"gateway {home} started" in gateway.output)
        victim.kill()
        try:
            await a.wait_for(lambda: gateway_of(a) == other and a.is_drained, "Ann at the other gateway", 60)
            a.send(b.user_id, "still here")
            b.send(a.user_id, "so I see")
            await a.wait_delivered(30)
            await b.wait_delivered(30)
        finally:
            victim.restart()
        await a.stop()
        await a.start()
        assert gateway_of(a) not in (home, other), "Ann comes back to her gateway when it is back"
    report = check([a.history, b.history])
    assert report.is_clean, report.text()


def test_the_log_in_form_works_over_tls_with_cookies_that_never_go_without_it(site: EdgeSite) -> None:
    person = Person.register(site)
    with httpx.Client(base_url=site.base_url, verify=site.verify) as browser:
        browser.get("/login/")
        form = {
            "username": person.username,
            "password": PASSWORD,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        answer = browser.post("/login/", data=form, headers={"Origin": site.base_url})
        assert answer.status_code == httpx.codes.FOUND
        assert {cookie.name for cookie in browser.cookies.jar if cookie.secure} == {"csrftoken", "sessionid"}
        refused = browser.post("/login/", data=form, headers={"Origin": "https://evil.example"})
        assert refused.status_code == httpx.codes.FORBIDDEN


async def test_a_socket_with_a_cookie_opens_from_the_sites_own_pages_only(site: EdgeSite) -> None:
    person = Person.register(site)
    session = person.open_browser_session()
    async with raw_socket(site.url, session=session, origin=site.base_url) as socket:
        await socket.receive(action="connected")
    for origin in (site.edge.plain_origin, "https://evil.example", "null"):
        async with raw_socket(site.url, session=session, origin=origin) as socket:
            code, _ = await socket.receive_close()
            assert code == 4403, origin


async def test_a_ticket_opens_a_socket_and_stands_in_no_log(site: EdgeSite) -> None:
    person = Person.register(site)
    ticket = person.get_ticket()
    async with raw_socket(f"{site.url}?ticket={ticket}&user={person.user_id}") as socket:
        await socket.receive(action="connected", user_id=person.user_id)
    assert ticket not in site.edge.logs
    assert all(ticket not in gateway.output for gateway in site.gateways)


async def count_connects_until_refused(url: str, account: Account, address: str, attempts: int) -> int | None:
    """How many connections from `address` were taken before one was closed with 4429; None when none was."""
    headers = {"Authorization": f"Token {account.token}"}
    for taken in range(attempts):
        forged = {"X-Forwarded-For": f"{FORGED}, 203.0.113.{taken}", "X-Real-IP": FORGED}
        async with connect(url, additional_headers=headers | forged, local_addr=(address, 0)) as socket:
            try:
                await socket.recv()
            except ConnectionClosed:
                assert socket.close_code == 4429
                return taken
    return None


async def test_a_gateway_counts_the_address_of_the_person_whatever_the_person_says(
    site: EdgeSite, accounts: AccountPool
) -> None:
    [account] = accounts.take(1)
    limit = 3
    environment = dict(site.environment) | {"CONNECTIONS_PER_MINUTE_PER_ADDRESS": str(limit)}
    with server_folder("strict") as folder:
        strict = Gateway(3, folder, environment)
        with running(strict), running_edge([strict.port]) as edge:
            # The minute may turn once while we count.
            taken = await count_connects_until_refused(edge.url, account, "127.0.0.2", 2 * limit + 1)
            assert taken is not None
            assert limit <= taken <= 2 * limit
            assert await count_connects_until_refused(edge.url, account, "127.0.0.3", 1) is None


async def test_where_nginx_refuses_every_upgrade_people_chat_by_long_polling(
    site: EdgeSite, accounts: AccountPool
) -> None:
    with running_edge([gateway.port for gateway in site.gateways], snippets=REFUSE_UPGRADES) as edge:
        people = accounts.take(4)
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(PollingChatClient(edge.origin, one)) for one in people]
            with pytest.raises(InvalidStatus, match="HTTP 403"):
                await connect(edge.url)
            for sender, receiver in itertools.permutations(clients, 2):
                sender.send(receiver.user_id, f"from {sender.user_id} to {receiver.user_id}")
            for client in clients:
                await client.wait_delivered(60)
        assert len({gateway_of(client) for client in clients}) == 2, "four people, and all at one gateway"
        report = check([client.history for client in clients])
        assert report.is_clean, report.text()
        assert report.counts["delivered"] == 12
