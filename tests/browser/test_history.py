"""A history that is kept comes to a new browser."""

from playwright.sync_api import expect

from tests.browser.conftest import PersonMaker


def test_a_new_browser_shows_what_was_kept(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    ada.page.get_by_role("button", name="Settings").click()
    keep = ada.page.get_by_role("switch", name="Keep a history")
    keep.click()
    expect(keep).to_be_checked()
    ada.page.get_by_role("button", name="Close settings").click()
    ada.find(bob)
    ada.write("one", "two")
    bob.conversation_with(ada).click()
    bob.write("three")
    ada.see_messages("one", "two", "three")
    ada.see_message_state("two", "read")
    elsewhere = make_person("Ada")
    elsewhere.username = ada.username
    elsewhere.log_in()
    elsewhere.conversation_with(bob).click()
    elsewhere.see_messages("one", "two", "three")
    elsewhere.see_message_state("two", "delivered")
