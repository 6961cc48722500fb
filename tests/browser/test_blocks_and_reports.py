"""What one can do about somebody: block them, and tell the moderators."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, PersonMaker
from tests.browser.person import Person

REPORTS = "fetch('/api/reports').then((response) => response.json())"


def choose(person: Person, option: str) -> None:
    """Open the menu of the open chat and choose, by keyboard."""
    person.page.get_by_role("button", name="Options").press("Enter")
    person.page.get_by_role("menuitem", name=option, exact=True).press("Enter")


def list_reports(person: Person) -> list[dict[str, Any]]:
    """What the person has reported, as the server has it, newest first."""
    reports: list[dict[str, Any]] = person.page.evaluate(REPORTS)["results"]
    return reports


def test_a_block_stops_both_until_it_is_lifted(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    bob.find(ada)
    bob.write("Hello")
    ada.conversation_with(bob).click()
    message = ada.page.get_by_role("textbox", name="Message")

    choose(ada, "Block")
    ada.page.keyboard.press("Escape")
    expect(ada.page.get_by_role("dialog")).to_have_count(0)
    expect(message).to_be_enabled()
    choose(ada, "Block")
    ada.page.get_by_role("dialog").get_by_role("button", name="Block", exact=True).click()
    expect(ada.page.get_by_role("status")).to_contain_text("Blocked")
    expect(ada.page.get_by_text("You have blocked Bob.")).to_be_visible()
    expect(message).to_be_disabled()
    bob.write("Still there?")
    bob.see_message_state("Still there?", "failed")
    ada.page.reload()
    ada.wait_connected()
    expect(message).to_be_disabled()

    ada.page.get_by_role("button", name="Unblock").click()
    expect(message).to_be_enabled()
    ada.write("Let us start again")
    bob.page.get_by_role("button", name="Try again").click()
    ada.see_messages("Hello", "Let us start again", "Still there?")


def test_a_person_and_a_message_are_reported(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada", viewport=PHONE), make_person("Bob")
    ada.register()
    bob.register()
    bob.find(ada)
    bob.write("buy my pills", "now")
    ada.conversation_with(bob).click()

    choose(ada, "Report")
    dialog = ada.page.get_by_role("dialog", name="Report Bob")
    dialog.get_by_role("radio", name="Spam or advertising").check()
    dialog.get_by_role("textbox").fill("every day")
    dialog.get_by_role("button", name="Report", exact=True).click()
    expect(ada.page.get_by_role("status")).to_contain_text("Reported")

    article = ada.articles.filter(has_text="buy my pills")
    article.get_by_role("button", name="Report message").click()
    dialog = ada.page.get_by_role("dialog", name="Report this message")
    expect(dialog).to_contain_text("buy my pills")
    dialog.get_by_role("radio", name="Something else").check()
    dialog.get_by_role("button", name="Report", exact=True).click()
    expect(dialog).to_have_count(0)
    ada.wait_connected()

    of_message, of_person = list_reports(ada)
    assert of_person["reason"] == "Spam or advertising: every day"
    assert of_person["user_id"], "the person was reported, not a message"
    assert of_message["reason"] == "Something else"
    assert of_message["message_id"], "the message was reported"
    expect(bob.page.get_by_role("button", name="Report message")).to_have_count(0)
