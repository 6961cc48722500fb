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
    expect(ada.online_mark_of(bob)).to_have_count(0)


def test_the_list_shows_who_is_online_though_no_chat_is_open(make_person: PersonMaker) -> None:
    ada, bob, eve = make_person("Ada"), make_person("Bob"), make_person("Eve")
    for person in (ada, bob, eve):
        person.register()
    for person in (bob, eve):
        person.find(ada)
        person.write("Hello")
        expect(ada.online_mark_of(person)).to_be_visible()
    with ada.page.expect_request("**/api/user/status") as asked:
        ada.page.reload()
    assert len(asked.value.post_data_json["user_ids"]) == 2, "one call asks for everybody in the list"
    for person in (bob, eve):
        expect(ada.online_mark_of(person)).to_be_visible()
