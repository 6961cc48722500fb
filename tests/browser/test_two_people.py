"""Two people, two browser profiles: writing, ticks, and coming back."""

from playwright.sync_api import Route, expect

from tests.browser.conftest import PHONE, PersonMaker
from tests.browser.person import Person


def test_two_people_who_register_chat_both_ways(make_person: PersonMaker) -> None:
    ada, bob = register_two(make_person)
    ada.find(bob)
    ada.write("Hello Bob")
    bob.conversation_with(ada).click()
    bob.write("Hello Ada", "<b>plain</b>")
    for person in (ada, bob):
        person.see_messages("Hello Bob", "Hello Ada", "<b>plain</b>")


def test_a_message_is_sent_then_delivered_then_read(make_person: PersonMaker) -> None:
    ada, bob = register_two(make_person)
    bob.page.close()
    ada.find(bob)
    ada.write("Are you there?")
    ada.see_message_state("Are you there?", "sent")
    bob.open_window()
    bob.open_app()
    ada.see_message_state("Are you there?", "delivered")
    expect(bob.conversation_with(ada).get_by_label("1 unread")).to_be_visible()
    bob.conversation_with(ada).click()
    ada.see_message_state("Are you there?", "read")
    expect(bob.conversation_with(ada).get_by_label("unread")).to_have_count(0)


def test_twenty_messages_to_a_closed_browser_arrive_once_and_in_order(make_person: PersonMaker) -> None:
    ada, bob = register_two(make_person)
    ada.find(bob)
    bob.page.close()
    texts = [f"number {index:02}" for index in range(20)]
    ada.write(*texts)
    ada.see_message_state(texts[-1], "sent")
    bob.open_window()
    bob.open_app()
    bob.conversation_with(ada).click()
    bob.see_messages(*texts)
    ada.see_messages(*texts)
    ada.see_message_state(texts[-1], "read")


def test_a_reload_keeps_the_chat_and_its_marks(make_person: PersonMaker) -> None:
    ada, bob = register_two(make_person)
    ada.find(bob)
    ada.write("one", "two")
    bob.conversation_with(ada).click()
    bob.write("three")
    ada.see_messages("one", "two", "three")
    ada.see_message_state("two", "read")
    for person in (ada, bob):
        person.page.reload()
        person.wait_connected()
        person.see_messages("one", "two", "three")
    ada.see_message_state("two", "read")
    expect(ada.conversation_with(bob)).to_contain_text("three")


def test_on_a_phone_list_and_chat_are_two_screens(make_person: PersonMaker) -> None:
    ada = make_person("Ada", viewport=PHONE)
    bob = make_person("Bob")
    for person in (ada, bob):
        person.register()
    ada.page.get_by_role("button", name="Log out").click()
    expect(ada.page.get_by_role("button", name="Log in")).to_be_visible()
    ada.log_in()
    ada.find(bob)
    expect(ada.page.get_by_role("button", name="New chat")).to_be_hidden()
    ada.write("From the train")
    ada.see_message_state("From the train", "delivered")
    ada.page.go_back()
    expect(ada.articles).to_have_count(0)
    ada.conversation_with(bob).click()
    ada.see_messages("From the train")
    ada.page.get_by_role("link", name="Back to conversations").click()
    expect(ada.page.get_by_role("button", name="New chat")).to_be_visible()


def test_the_composer_keeps_lines_counts_near_the_limit_and_refuses_what_is_too_long(make_person: PersonMaker) -> None:
    ada, bob = register_two(make_person)
    ada.find(bob)
    composer = ada.page.get_by_role("textbox", name="Message")
    send = ada.page.get_by_role("button", name="Send")
    expect(send).to_be_disabled()
    composer.press_sequentially("first line")
    composer.press("Shift+Enter")
    composer.press_sequentially("second line")
    composer.press("Enter")
    ada.see_messages("first line\nsecond line")
    composer.fill("😀" * 1_001)
    expect(ada.page.get_by_text("1001 of 1000")).to_be_visible()
    expect(send).to_be_disabled()
    composer.press("Enter")
    composer.fill("😀" * 1_000)
    send.click()
    expect(ada.articles).to_have_count(2)
    bob.conversation_with(ada).click()
    expect(bob.articles.last).to_contain_text("😀" * 1_000)


def test_a_strict_content_security_policy_breaks_nothing(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    refused: list[str] = []
    ada.page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)

    def add_policy(route: Route) -> None:
        response = route.fetch(max_redirects=0)
        policy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        route.fulfill(response=response, headers=response.headers | {"content-security-policy": policy})

    ada.page.route(lambda url: "/static/" not in url and "/api/" not in url, add_policy)
    bob.register()
    ada.register()
    ada.find(bob)
    ada.write("under the policy")
    ada.see_message_state("under the policy", "delivered")
    ada.page.get_by_role("button", name="Settings").click()
    expect(ada.page.get_by_role("switch", name="Keep a history")).to_be_visible()
    assert refused == []


def register_two(make_person: PersonMaker) -> tuple[Person, Person]:
    """Two people with accounts, connected."""
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    return ada, bob
