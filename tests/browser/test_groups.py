"""Groups: made, read by all in one order, left and joined; muted ones, and those that are too large to be pushed to."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Request, expect

from tests.browser.conftest import PHONE, PersonMaker
from tests.browser.person import Person
from tests.client.server import Server, running_server

LIMIT = 3
GROUP = "Chess club"


@pytest.fixture(scope="module")
def small_limit() -> Iterator[Server]:
    """A server on which four members are a large group."""
    with running_server(GROUP_PUSH_LIMIT=LIMIT) as server:
        yield server


@pytest.fixture
def make_large(browser: Browser, small_limit: Server) -> Iterator[PersonMaker]:
    """`make_person`, at that server."""
    contexts: list[BrowserContext] = []

    def make(display_name: str) -> Person:
        contexts.append(browser.new_context(locale="en-GB"))
        return Person(contexts[-1], small_limit.base_url, display_name)

    yield make
    for context in contexts:
        context.close()


def gather(make_person: PersonMaker, *names: str) -> list[Person]:
    """People with an account each, in front of their chats."""
    people = [make_person(name) for name in names]
    for person in people:
        person.register()
    return people


def create_group(owner: Person, *members: Person, name: str = GROUP) -> None:
    """By the dialog; the group is open afterwards."""
    owner.page.get_by_role("button", name="New group").click()
    dialog = owner.page.get_by_role("dialog", name="New group")
    dialog.get_by_role("textbox", name="Group name").fill(name)
    for member in members:
        pick(dialog, member)
    dialog.get_by_role("button", name="Create group").click()
    expect(owner.page.get_by_role("dialog")).to_have_count(0)
    expect(owner.page.get_by_role("heading", name=name)).to_be_visible()


def pick(dialog: Locator, person: Person) -> None:
    """Choose somebody by the search of a dialog."""
    dialog.get_by_role("searchbox", name="Find a person").fill(person.username)
    dialog.get_by_role("list", name="People").get_by_role("button", name=person.display_name).click()
    expect(dialog.get_by_role("list", name="Chosen")).to_contain_text(person.display_name)


def line_of(person: Person, name: str = GROUP) -> Locator:
    """The group's line in the list of conversations."""
    return person.page.get_by_role("list", name="Conversations").get_by_role("listitem").filter(has_text=name)


def open_group(*people: Person, name: str = GROUP) -> None:
    for person in people:
        line_of(person, name).click()
        expect(person.page.get_by_role("heading", name=name)).to_be_visible()


def open_info(person: Person) -> Locator:
    """The dialog about the open group."""
    person.page.get_by_role("button", name="Group info").click()
    return person.page.get_by_role("dialog", name="Group info")


def close_info(person: Person) -> None:
    person.page.get_by_role("button", name="Close group info").click()
    expect(person.page.get_by_role("dialog")).to_have_count(0)


def choose_for(person: Person, other: Person, option: str, answer: str | None = None) -> None:
    """Choose from the menu of a member, and answer the question that follows."""
    dialog = open_info(person)
    dialog.get_by_role("button", name=f"Options for {other.display_name}").click()
    dialog.get_by_role("menuitem", name=option, exact=True).click()
    if answer:
        dialog.get_by_role("dialog").get_by_role("button", name=answer, exact=True).click()
    expect(dialog.get_by_role("dialog")).to_have_count(0)
    close_info(person)


def notices(person: Person) -> Locator:
    """What happened to the open group."""
    return person.page.get_by_role("log", name="Messages").get_by_role("note")


def message_box(person: Person) -> Locator:
    return person.page.get_by_role("textbox", name="Message")


def test_four_people_see_one_order_and_who_is_removed_keeps_what_was_before(make_person: PersonMaker) -> None:
    ann, bob, cy, dan = people = gather(make_person, "Ann", "Bob", "Cy", "Dan")
    create_group(ann, bob, cy, dan)
    for person in (bob, cy, dan):
        expect(line_of(person)).to_be_visible()
    open_group(bob, cy, dan)
    expect(notices(bob).first).to_contain_text("Ann created “Chess club”")
    expect(bob.page.get_by_text("4 members")).to_be_visible()
    for turn in range(2):
        for person in people:
            person.write(f"{person.display_name} {turn}")
    expect(ann.articles).to_have_count(8)
    for person in people:
        expect(person.articles).to_have_count(8)
    order = texts_of(ann)
    for person in people:
        assert texts_of(person) == order
    assert sorted(order) == sorted(f"{one.display_name} {turn}" for one in people for turn in range(2))
    ann.see_message_state("Ann 1", "delivered|read")
    expect(bob.articles.filter(has_text="Ann 0").locator("chat-sender")).to_have_text("Ann")

    choose_for(ann, dan, "Remove", "Remove")
    expect(dan.page.get_by_text("Ann removed you from this group.")).to_be_visible()
    expect(message_box(dan)).to_be_disabled()
    for person in (ann, bob, cy):
        expect(notices(person).last).to_contain_text(re.compile("(You|Ann) removed Dan"))
    bob.write("Without Dan")
    for person in (ann, bob, cy):
        expect(person.articles.last).to_contain_text("Without Dan")
    bob.see_message_state("Without Dan", "delivered|read")
    assert texts_of(dan) == order
    dan.page.set_viewport_size({"width": 390, "height": 480})
    dan.page.reload()
    dan.wait_connected()
    expect(dan.articles).to_have_count(8)
    expect(notices(dan).last).to_be_in_viewport()
    expect(dan.page.get_by_role("button", name="To the newest message")).to_have_count(0)
    assert texts_of(dan) == order
    expect(dan.page.get_by_text("Ann removed you from this group.")).to_be_visible()
    expect(message_box(dan)).to_be_disabled()


def texts_of(person: Person) -> list[str]:
    """The messages of the open chat, as they stand there."""
    return person.articles.locator(".text").all_inner_texts()


def test_one_joins_by_a_link_and_leaves_again(make_person: PersonMaker) -> None:
    ann, bob = gather(make_person, "Ann", "Bob")
    cy = make_person("Cy", viewport=PHONE)
    cy.register()
    cy.page.get_by_role("button", name="Log out").click()
    expect(cy.page.get_by_role("button", name="Log in")).to_be_visible()
    create_group(ann, bob)
    link = create_link(ann)
    assert "/join/#" in link

    cy.page.goto(link)
    cy.page.get_by_role("textbox", name="Username").fill(cy.username)
    cy.page.get_by_role("textbox", name="Password").fill("correct-horse-9")
    cy.page.get_by_role("button", name="Log in").click()
    expect(cy.page.get_by_role("heading", name=GROUP)).to_be_visible()
    expect(cy.page.get_by_text("2 members")).to_be_visible()
    cy.page.get_by_role("button", name="Join group").click()
    cy.wait_connected()
    expect(notices(cy).last).to_contain_text("You joined")
    cy.write("Hello all")
    ann.see_messages("Hello all")
    expect(notices(ann).last).to_contain_text("Cy joined")

    dialog = open_info(cy)
    dialog.get_by_role("button", name="Leave group").click()
    dialog.get_by_role("dialog").get_by_role("button", name="Leave", exact=True).click()
    expect(dialog.get_by_role("dialog")).to_have_count(0)
    close_info(cy)
    expect(cy.page.get_by_text("You left this group.")).to_be_visible()
    expect(message_box(cy)).to_be_disabled()
    expect(notices(ann).last).to_contain_text("Cy left")
    cy.see_messages("Hello all")

    dialog = open_info(ann)
    dialog.get_by_role("button", name=re.compile("Revoke link")).click()
    expect(dialog.get_by_role("button", name=re.compile("Revoke link"))).to_have_count(0)
    cy.page.goto(link)
    expect(cy.page.get_by_role("alert")).to_contain_text("invite")


def test_an_invite_is_kept_by_who_makes_an_account_first(make_person: PersonMaker, chat_server: Server) -> None:
    ann, bob = gather(make_person, "Ann", "Bob")
    create_group(ann, bob)
    link = create_link(ann)
    token = link.partition("#")[2]
    cy = make_person("Cy", viewport=PHONE)
    told = watch_requests(cy)

    cy.page.goto(link)
    cy.page.get_by_role("link", name="Make an account").click()
    cy.page.get_by_role("link", name="Log in").click()
    cy.page.get_by_role("link", name="Make an account").click()
    cy.fill_registration(confirmation="something-else-9")
    cy.page.get_by_role("button", name="Register").click()
    expect(cy.page.get_by_text("The two passwords are not the same.")).to_be_visible()
    cy.fill_registration()
    cy.page.get_by_role("button", name="Register").click()
    expect(cy.page.get_by_role("heading", name=GROUP)).to_be_visible()
    cy.page.get_by_role("button", name="Join group").click()
    cy.wait_connected()
    expect(notices(cy).last).to_contain_text("You joined")
    expect(notices(ann).last).to_contain_text("Cy joined")

    leaks = [words for words in told if token in words and f"/api/invite/{token}" not in words]
    assert not leaks
    assert token not in chat_server.output


def create_link(admin: Person) -> str:
    """A link into the open group."""
    dialog = open_info(admin)
    dialog.get_by_role("button", name="Create link").click()
    link = dialog.get_by_role("textbox", name="Invite link").input_value()
    close_info(admin)
    return link


def watch_requests(person: Person) -> list[str]:
    """What a server hears of the person's addresses: each request's own, and the one it says it comes from."""
    told: list[str] = []

    def note(request: Request) -> None:
        told.append(request.url.partition("#")[0])
        told.append(request.headers.get("referer", ""))

    person.page.on("request", note)
    return told


def test_only_who_is_mentioned_is_called_in_a_muted_group(make_person: PersonMaker) -> None:
    ann, bob = gather(make_person, "Ann", "Bob")
    create_group(ann, bob)
    open_group(bob)
    dialog = open_info(bob)
    dialog.get_by_role("switch", name="Mute").click()
    expect(dialog.get_by_role("switch", name="Mute")).to_be_checked()
    close_info(bob)
    bob.page.goto(f"{bob.base_url}/#")
    expect(line_of(bob).get_by_text("muted")).to_be_visible()
    ann.write("for nobody")
    expect(line_of(bob)).to_contain_text("for nobody")
    expect(bob.page).to_have_title("Chatsite")
    box = message_box(ann)
    box.press_sequentially(f"@{bob.username[:5]}")
    expect(ann.page.get_by_role("option", name="Bob")).to_be_visible()
    box.press("Enter")
    box.press_sequentially("where are you?")
    box.press("Enter")
    expect(ann.articles.last).to_contain_text(f"@{bob.username} where are you?")
    expect(line_of(bob).get_by_text("you are mentioned")).to_be_visible()
    expect(bob.page).to_have_title("(1) Chatsite")
    open_group(bob)
    expect(bob.articles.last.locator(".mention.of-me")).to_have_text(f"@{bob.username}")
    expect(bob.page).to_have_title("Chatsite")

    bob.articles.filter(has_text="for nobody").get_by_role("button", name="Reply").click()
    bob.write("Here")
    expect(ann.articles.last.locator("blockquote")).to_contain_text("for nobody")
    ann.see_messages("for nobody", "where are you?", "Here")
    ann.page.reload()
    ann.wait_connected()
    ann.see_messages("for nobody", "where are you?", "Here")


def test_a_group_has_rules_and_another_owner(make_person: PersonMaker) -> None:
    ann, bob = gather(make_person, "Ann", "Bob")
    create_group(ann, bob)
    open_group(bob)
    dialog = open_info(ann)
    dialog.get_by_role("switch", name="Only admins write").click()
    expect(bob.page.get_by_text("Only admins can write in this group.")).to_be_visible()
    expect(message_box(bob)).to_be_disabled()
    dialog.get_by_role("button", name="Change name or description").click()
    dialog.get_by_role("textbox", name="Group name").fill("Go club")
    dialog.get_by_role("button", name="Save").click()
    expect(bob.page.get_by_role("heading", name="Go club")).to_be_visible()
    expect(notices(bob).last).to_contain_text("Ann renamed the group to “Go club”")
    close_info(ann)
    choose_for(ann, bob, "Hand over", "Hand over")
    expect(message_box(bob)).to_be_enabled()
    expect(notices(bob).last).to_contain_text("Ann handed the group over to you")
    dialog = open_info(bob)
    dialog.get_by_role("button", name="Delete group").click()
    dialog.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(ann.page.get_by_text("Bob deleted this group.")).to_be_visible()
    expect(message_box(ann)).to_be_disabled()


def test_who_writes_is_told_to_who_looks(make_person: PersonMaker) -> None:
    ann, bob = gather(make_person, "Ann", "Bob")
    create_group(ann, bob)
    open_group(bob)
    ann.write("Look at this")
    bob.see_messages("Look at this")
    message_box(bob).press_sequentially("Hm")
    expect(ann.page.get_by_text("Bob is typing…")).to_be_visible()


def test_a_large_group_is_polled_and_crossing_the_limit_loses_and_repeats_nothing(make_large: PersonMaker) -> None:
    ann, bob, cy, dan = gather(make_large, "Ann", "Bob", "Cy", "Dan")
    create_group(ann, bob, cy)
    open_group(bob)
    ann.write("pushed")
    bob.see_messages("pushed")
    dialog = open_info(ann)
    pick(dialog, dan)
    dialog.get_by_role("button", name="Add to group").click()
    expect(dialog.get_by_role("list", name="Members")).to_contain_text("Dan")
    close_info(ann)
    ann.write("polled")
    bob.see_messages("pushed", "polled")
    dan.page.reload()
    dan.wait_connected()
    open_group(dan)
    dan.see_messages("polled")
    dan.write("from Dan")
    ann.see_messages("pushed", "polled", "from Dan")
    bob.see_messages("pushed", "polled", "from Dan")
    cy.page.reload()
    cy.wait_connected()
    expect(line_of(cy)).to_contain_text("from Dan")
    expect(line_of(cy).get_by_label("3 unread")).to_be_visible()

    choose_for(ann, dan, "Remove", "Remove")
    ann.write("pushed again")
    bob.see_messages("pushed", "polled", "from Dan", "pushed again")
    open_group(cy)
    cy.see_messages("pushed", "polled", "from Dan", "pushed again")
    bob.page.reload()
    bob.wait_connected()
    bob.see_messages("pushed", "polled", "from Dan", "pushed again")
    expect(message_box(dan)).to_be_disabled()
    dan.see_messages("polled", "from Dan")
