"""What moderators do reaches every gateway of a real server: sessions end, and banned addresses stay out."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.client.chat_client import ChatClient
from tests.client.people import Person
from tests.client.processes import wait_until
from tests.client.raw_socket import raw_socket
from tests.client.server import Server, running_server

PROMISED_SECONDS = 5 * 2.0  # two, and a busy machine
PASSWORD = "correct-horse-9"
BANNED, OTHER = "203.0.113.7", "198.51.100.7"

MAKE_MODERATOR = f"""
from django.contrib.auth.models import Group
from apps.accounts.models import User
user = User.objects.create_user("mona", "{PASSWORD}", is_staff=True)
user.groups.add(Group.objects.get(name="moderator"))
"""


@pytest.fixture(scope="module")
def moderated_server() -> Iterator[Server]:
    """Two gateways behind a proxy, which is this test; it is spoken to without TLS."""
    with running_server(arguments=("--workers", "2"), TRUSTED_PROXIES="127.0.0.1", SECURE_COOKIES="false") as server:
        server.manage("shell", "-c", MAKE_MODERATOR)
        yield server


@pytest.fixture
def desk(moderated_server: Server) -> Iterator[httpx.Client]:
    """The browser of the moderator, logged in to the admin."""
    with httpx.Client(base_url=f"{moderated_server.base_url}/admin/", timeout=30) as client:
        client.get("login/")
        assert post(client, "login/?next=/admin/", username="mona", password=PASSWORD).status_code == 302
        yield client


def post(client: httpx.Client, path: str, **form: str) -> httpx.Response:
    """Send a form as the page would."""
    return client.post(path, data=form | {"csrfmiddlewaretoken": client.cookies["csrftoken"]})


def ask(server: Server, address: str) -> int:
    """The answer to a call without a credential from an address: 401 where it is heard."""
    return httpx.get(f"{server.base_url}/api/user/me", headers={"X-Forwarded-For": address}, timeout=30).status_code


async def test_ending_all_sessions_closes_every_socket_on_every_gateway(
    moderated_server: Server, desk: httpx.Client
) -> None:
    ann = Person.register(moderated_server)
    devices = [ann.account, *(ann.log_in() for _ in range(7))]
    clients = [ChatClient(moderated_server.url, device) for device in devices]
    for client in clients:
        await client.start()
    servers = {(await client.wait_for_frame(action="connected"))["server_id"] for client in clients}
    assert len(servers) == 2, "eight connections reach both gateway processes"
    # The answer comes after the commit, on which the gateways are told.
    answer = await asyncio.to_thread(post, desk, f"accounts/user/{ann.user_id}/end-sessions/", reason="stolen phone")
    closing = [asyncio.create_task(client.wait_closed(PROMISED_SECONDS)) for client in clients]
    assert answer.status_code == 302
    assert {close.code for close in await asyncio.gather(*closing)} == {4403}
    for device in devices:
        async with raw_socket(moderated_server.url, token=device.token) as dead:
            assert (await dead.receive_close())[0] in {4401, 4403}


async def test_suspending_a_reported_user_closes_the_socket_and_says_why(
    moderated_server: Server, desk: httpx.Client
) -> None:
    ann, bob = Person.register(moderated_server), Person.register(moderated_server)
    async with httpx.AsyncClient(base_url=moderated_server.base_url, timeout=30) as client:
        headers = {"Authorization": f"Token {bob.account.token}"}
        made = await client.post(
            "/api/reports", json={"user_id": ann.user_id, "reason": "sells pills"}, headers=headers
        )
        async with ChatClient(moderated_server.url, ann.account) as socket:
            path = f"moderation/report/{made.json()['report_id']}/suspend/"
            answer = await asyncio.to_thread(post, desk, path, reason="sold pills")
            closed = await socket.wait_closed(PROMISED_SECONDS)
        assert (answer.status_code, closed.code, closed.reason) == (302, 4403, "account suspended")
        refused = await client.get("/api/user/me", headers={"Authorization": f"Token {ann.account.token}"})
        assert (refused.status_code, refused.json()["message"]) == (403, "This account is suspended: sold pills")
        [report] = (await client.get("/api/reports", headers=headers)).json()["results"]
        assert report["state"] == "closed"


async def test_a_banned_range_is_kept_out_of_http_and_sockets_until_it_is_let_in_again(
    moderated_server: Server, desk: httpx.Client
) -> None:
    ann = Person.register(moderated_server)
    assert ask(moderated_server, BANNED) == 401
    ban = {"network": "203.0.113.0/24", "reason": "floods", "until_0": "", "until_1": ""}
    made = await asyncio.to_thread(lambda: post(desk, "moderation/addressban/add/", **ban))
    assert made.status_code == 302
    # Two gateways share the port: a row of refusals means that both know.
    await asyncio.to_thread(
        wait_until, lambda: [ask(moderated_server, BANNED) for _ in range(16)] == [403] * 16, "the ban", 60
    )
    assert ask(moderated_server, OTHER) == 401
    for _ in range(8):
        async with raw_socket(moderated_server.url, token=ann.account.token, forwarded_for=BANNED) as refused:
            assert await refused.receive_close() == (4403, [])
    async with raw_socket(moderated_server.url, token=ann.account.token, forwarded_for=OTHER) as admitted:
        await admitted.receive(action="connected")

    page = (await asyncio.to_thread(desk.get, "moderation/addressban/")).text
    pages = [part.split("/change/")[0] for part in page.split("/admin/moderation/addressban/") if "/change/" in part]
    number = next(part for part in pages if part.isdecimal())
    lifted = await asyncio.to_thread(lambda: post(desk, f"moderation/addressban/{number}/delete/", post="yes"))
    assert lifted.status_code == 302
    await asyncio.to_thread(
        wait_until, lambda: [ask(moderated_server, BANNED) for _ in range(16)] == [401] * 16, "the end", 60
    )
