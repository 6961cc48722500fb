"""Two people in a network that refuses every WebSocket: they chat by long polling and notice nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import WebSocket, expect

from tests.browser.conftest import PersonMaker
from tests.browser.network import Network
from tests.browser.person import Person
from tests.client.server import Server, running_server


@pytest.fixture(scope="module")
def chat_server() -> Iterator[Server]:
    """A server of two gateway processes: which of them a poll reaches is chance."""
    with running_server(arguments=("--workers", "2")) as server:
        yield server


def register_two_without_websockets(make_person: PersonMaker, network: Network) -> tuple[Person, Person]:
    network.block_websockets()
    ada = make_person("Ada", base_url=network.base_url)
    bob = make_person("Bob", base_url=network.base_url)
    ada.register()
    bob.register()
    return ada, bob


def test_messages_are_sent_delivered_and_read_by_long_polling(make_person: PersonMaker, network: Network) -> None:
    ada, bob = register_two_without_websockets(make_person, network)
    ada.find(bob)
    with ada.page.expect_request(lambda request: "/chat/poll" in request.url):
        ada.write("Hello Bob")
    ada.see_message_state("Hello Bob", "delivered")
    bob.conversation_with(ada).click()
    ada.see_message_state("Hello Bob", "read")
    texts = [f"number {index:02}" for index in range(20)]
    bob.write(*texts)
    for person in (ada, bob):
        person.see_messages("Hello Bob", *texts)
    bob.see_message_state(texts[-1], "read")


def test_who_was_away_gets_everything_on_return(make_person: PersonMaker, network: Network) -> None:
    ada, bob = register_two_without_websockets(make_person, network)
    ada.find(bob)
    bob.page.close()
    ada.write("one", "two", "three")
    ada.see_message_state("three", "sent")
    bob.open_window()
    bob.open_app()
    ada.see_message_state("three", "delivered")
    bob.conversation_with(ada).click()
    bob.see_messages("one", "two", "three")

    network.cut()
    for person in (ada, bob):
        person.see_status("Reconnecting")
    ada.write("written offline")
    ada.see_message_state("written offline", "waiting")
    network.restore()
    for person in (ada, bob):
        person.wait_connected()
        person.see_messages("one", "two", "three", "written offline")
    ada.see_message_state("written offline", "read")


def test_a_second_window_takes_over_and_the_first_can_take_back(make_person: PersonMaker, network: Network) -> None:
    ada, bob = register_two_without_websockets(make_person, network)
    first = ada.page
    ada.open_window()
    ada.open_app()
    expect(first.get_by_role("heading", name="This chat is open in another window")).to_be_visible()
    ada.page = first
    first.get_by_role("button", name="Use here").click()
    ada.wait_connected()
    ada.find(bob)
    ada.write("from the first again")
    ada.see_message_state("from the first again", "delivered")


def test_a_websocket_takes_over_when_the_network_lets_it(make_person: PersonMaker, network: Network) -> None:
    ada, bob = register_two_without_websockets(make_person, network)
    ada.find(bob)
    ada.write("by polls")
    ada.see_message_state("by polls", "delivered")

    def has_spoken(socket: WebSocket) -> bool:
        socket.wait_for_event("framereceived")
        return True

    network.block_websockets(blocked=False)
    with ada.page.expect_websocket(has_spoken):
        ada.page.evaluate("window.dispatchEvent(new Event('online'))")
    ada.wait_connected()
    ada.write("by socket")
    ada.see_message_state("by socket", "delivered")
    bob.conversation_with(ada).click()
    bob.see_messages("by polls", "by socket")
