"""Whether the other one is there, and is writing."""

from playwright.sync_api import expect

from tests.browser.conftest import PersonMaker


def test_one_sees_the_other_come_write_and_go(make_person: PersonMaker) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    ada.find(bob)
    header = ada.page.get_by_role("region", name=f"Conversation with {bob.display_name}")
    expect(header).to_contain_text("online", timeout=60_000)
    ada.write("Hello")
    bob.conversation_with(ada).click()
    bob.page.get_by_role("textbox", name="Message").press_sequentially("I am thinking")
    expect(header).to_contain_text("typing …", timeout=60_000)
    expect(ada.conversation_with(bob)).to_contain_text("typing …")
    bob.page.get_by_role("textbox", name="Message").press("Enter")
    expect(header).not_to_contain_text("typing …", timeout=60_000)
    bob.page.close()
    expect(header).to_contain_text("last seen today", timeout=90_000)
