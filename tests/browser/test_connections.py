"""What a person sees when the line, the window or the login goes."""

from playwright.sync_api import expect

from tests.browser.conftest import PersonMaker
from tests.browser.network import Network
from tests.browser.person import CONNECT_TIMEOUT_MS
from tests.client.processes import Role
from tests.client.server import Server


def test_what_is_written_while_the_network_is_cut_goes_out_when_it_is_back(
    make_person: PersonMaker, network: Network
) -> None:
    ada = make_person("Ada", base_url=network.base_url)
    bob = make_person("Bob")
    ada.register()
    bob.register()
    ada.find(bob)
    ada.write("before")
    bob.conversation_with(ada).click()
    bob.see_messages("before")

    network.cut()
    ada.see_status("Reconnecting")
    ada.write("during one", "during two")
    ada.see_message_state("during two", "waiting")
    bob.write("from Bob meanwhile")
    bob.see_message_state("from Bob meanwhile", "sent")

    network.restore()
    ada.wait_connected()
    ada.see_message_state("during two", "read")
    bob.see_message_state("from Bob meanwhile", "read")
    for person in (ada, bob):
        person.see_messages("before", "from Bob meanwhile", "during one", "during two")


def test_what_was_written_offline_outlives_the_window(make_person: PersonMaker, network: Network) -> None:
    ada = make_person("Ada", base_url=network.base_url)
    bob = make_person("Bob")
    ada.register()
    bob.register()
    ada.find(bob)
    network.cut()
    ada.see_status("Reconnecting")
    ada.write("one", "two", "three")
    ada.see_message_state("three", "waiting")
    ada.page.close()
    network.restore()
    ada.open_window()
    ada.open_app()
    bob.conversation_with(ada).click()
    bob.see_messages("one", "two", "three")


def test_a_chat_server_killed_while_people_write_loses_and_doubles_nothing(
    make_person: PersonMaker, chat_server: Server
) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    ada.find(bob)
    ada.write("hello")
    bob.conversation_with(ada).click()
    bob.see_messages("hello")
    texts = [f"number {index:02}" for index in range(20)]
    for half in (texts[:10], texts[10:]):
        ada.write(*half[:5])
        chat_server.processes.kill(Role.GATEWAY)
        ada.write(*half[5:])
        ada.see_message_state(half[-1], "read")
    for person in (ada, bob):
        person.wait_connected()
        person.see_messages("hello", *texts)


def test_a_second_window_takes_over_and_the_first_can_take_back(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    ada.find(bob)
    first = ada.page
    second = ada.open_window()
    ada.open_app()
    expect(first.get_by_role("heading", name="This chat is open in another window")).to_be_visible()
    ada.find(bob)
    ada.write("from the second window")
    ada.see_message_state("from the second window", "delivered")

    ada.page = first
    first.get_by_role("button", name="Use here").click()
    ada.wait_connected()
    ada.see_messages("from the second window")
    ada.write("from the first again")
    ada.see_message_state("from the first again", "delivered")
    expect(second.get_by_role("button", name="Use here")).to_be_visible(timeout=CONNECT_TIMEOUT_MS)


def test_two_logins_of_one_person_both_get_everything_and_one_can_end_the_other(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    elsewhere = make_person("Ada")
    elsewhere.username = ada.username
    elsewhere.log_in()

    ada.find(bob)
    ada.write("to Bob")
    elsewhere.conversation_with(bob).click()
    elsewhere.see_messages("to Bob")
    elsewhere.see_message_state("to Bob", "delivered")
    bob.conversation_with(ada).click()
    bob.write("to Ada")
    for person in (ada, elsewhere):
        person.see_messages("to Bob", "to Ada")

    ada.page.get_by_role("button", name="Settings").click()
    devices = ada.page.get_by_role("list", name="Devices").get_by_role("listitem")
    expect(devices).to_have_count(2)
    devices.get_by_role("button", name="Remove").click()
    expect(devices).to_have_count(1)
    expect(elsewhere.page.get_by_role("heading", name="Your session was ended")).to_be_visible()
    ada.page.get_by_role("button", name="Close settings").click()
    ada.wait_connected()


def test_logging_out_leaves_no_message_on_the_device(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    ada.find(bob)
    ada.write("secret")
    ada.see_message_state("secret", "delivered")
    ada.page.get_by_role("button", name="Log out").click()
    expect(ada.page.get_by_role("button", name="Log in")).to_be_visible()
    assert ada.page.evaluate("indexedDB.databases()") == []
    ada.page.goto(ada.base_url)
    expect(ada.page.get_by_role("button", name="Log in")).to_be_visible()
