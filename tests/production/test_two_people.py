"""Two people on two gateways behind nginx, by sockets and by browsers."""

import json
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS, CHROMIUM_NAMES
from tests.browser.person import Person
from tests.client.chat_client import ChatClient
from tests.faults.checker import check
from tests.rehearsal.site import ProductionSite
from tests.rehearsal.traffic import choose_pairs
from tests.servers.edge import REFUSE_UPGRADES, running_edge

MESSAGES = 20
MOST_PEOPLE = 30


async def test_they_write_to_each_other_over_two_gateways(production_site: ProductionSite) -> None:
    ann, bob = await choose_pairs(production_site, 1)
    options = production_site.client_options
    async with (
        ChatClient(production_site.url, ann, options) as a,
        ChatClient(production_site.url, bob, options) as b,
    ):
        for number in range(MESSAGES):
            a.send(b.user_id, f"from Ann {number}")
            b.send(a.user_id, f"from Bob {number}")
        await a.wait_delivered(30)
        await b.wait_delivered(30)
        gateways = {client.history.frames[0]["server_id"] for client in (a, b)}
    assert len(gateways) == 2
    report = check([a.history, b.history])
    assert report.is_clean, report.text()
    assert report.counts["delivered"] == 2 * MESSAGES


@pytest.fixture(scope="module")
def secure_browser() -> Iterator[Browser]:
    """A Chromium that takes the certificate that was made for this run."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    assert path is not None, "no Chromium was found; name one in CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*CHROMIUM_FLAGS, "--ignore-certificate-errors"]
        )
        yield browser
        browser.close()


def test_two_browsers_chat_over_two_gateways(production_site: ProductionSite, secure_browser: Browser) -> None:
    chat_over_two_gateways(production_site, secure_browser, production_site.base_url)


def test_where_nginx_refuses_every_websocket_two_browsers_chat_by_long_polling(
    production_site: ProductionSite, secure_browser: Browser
) -> None:
    ports = [gateway.port for gateway in production_site.gateways]
    with running_edge(ports, snippets=REFUSE_UPGRADES) as edge:
        chat_over_two_gateways(production_site, secure_browser, edge.origin)
        assert '"path":"/ws/chat/","status":403' in edge.logs
        assert '"path":"/ws/chat/","status":101' not in edge.logs


def chat_over_two_gateways(site: ProductionSite, browser: Browser, base_url: str) -> None:
    def register(display_name: str) -> Person:
        context = browser.new_context(locale="en-GB", ignore_https_errors=True)
        person = Person(context, base_url, display_name)
        person.register()
        return person

    ada = register("Ada")
    bob = next(bob for bob in (register("Bob") for _ in range(MOST_PEOPLE)) if on_two_gateways(site, ada, bob))
    ada.find(bob)
    ada.write("Hello Bob")
    bob.conversation_with(ada).click()
    bob.write("Hello Ada")
    for person in (ada, bob):
        person.see_messages("Hello Bob", "Hello Ada")
    ada.see_message_state("Hello Bob", "read")
    bob.see_message_state("Hello Ada", "read")
    assert on_two_gateways(site, ada, bob)


def on_two_gateways(site: ProductionSite, *people: Person) -> bool:
    """Whether the registry has them on different gateways."""
    lines = [line for person in people for line in site.manage("connections", person.username, "--json").splitlines()]
    return len({json.loads(line)["server_id"] for line in lines}) == len(people)
