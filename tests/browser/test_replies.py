"""Answers to a message, which show what they answer to."""

from playwright.sync_api import expect

from tests.browser.conftest import PHONE, PersonMaker


def test_an_answer_shows_what_it_answers_to_and_leads_there(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada"), make_person("Bob", viewport=PHONE)
    ada.register()
    bob.register()
    bob.find(ada)
    bob.write("Tea or coffee?", "And when?")
    ada.conversation_with(bob).click()
    question = ada.articles.filter(has_text="Tea or coffee?")
    question.get_by_role("button", name="Reply").click()
    expect(ada.page.get_by_role("textbox", name="Message")).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(ada.page.get_by_role("button", name="Cancel reply")).to_have_count(0)
    question.get_by_role("button", name="Reply").click()
    ada.write("Tea")
    expect(ada.page.get_by_role("button", name="Cancel reply")).to_have_count(0)
    answer = bob.articles.last
    expect(answer.locator("blockquote")).to_contain_text("You")
    expect(answer.locator("blockquote")).to_contain_text("Tea or coffee?")
    answer.locator("blockquote").get_by_role("button").click()
    expect(bob.articles.first).to_be_focused()
    bob.page.reload()
    bob.wait_connected()
    expect(bob.articles.last.locator("blockquote")).to_contain_text("Tea or coffee?")
