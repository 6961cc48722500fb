"""A moderator at work, and what the person sees who is suspended."""

import re
import time

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PersonMaker
from tests.browser.person import PASSWORD
from tests.client.server import Server

PROMISED_SECONDS = 5 * 2.0  # two, and a busy machine

MAKE_MODERATOR = """
from django.contrib.auth.models import Group
from apps.accounts.models import User
user = User.objects.create_user("mona", "{password}", is_staff=True)
user.groups.add(Group.objects.get(name="moderator"))
"""

WARN = """
from apps.accounts.models import User
from apps.moderation.models import WarningNote
WarningNote.objects.create(user=User.objects.get(username="{username}"), note="{note}")
"""


MAKE_SUPERUSER = """
from apps.accounts.models import User
User.objects.create_superuser("root", "{password}")
"""
PAGES = (
    "accounts/user/",
    "auth/group/",
    "moderation/report/",
    "moderation/auditentry/",
    "moderation/addressban/",
    "moderation/addressban/add/",
    "dead-letters/",
    "live-figures/",
)


def log_in_moderator(browser: Browser, server: Server, complaints: list[str]) -> Page:
    """A window of a new moderator, at the admin's start; what the page's policy forbids is a complaint."""
    server.manage("shell", "-c", MAKE_MODERATOR.format(password=PASSWORD))
    return log_in(browser, server, "mona", complaints)


def log_in(browser: Browser, server: Server, username: str, complaints: list[str]) -> Page:
    page = browser.new_context(locale="en-GB").new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.base_url}/admin/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def test_a_suspended_users_window_closes_and_says_why(
    browser: Browser, make_person: PersonMaker, chat_server: Server
) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")
    ada.register()
    bob.register()
    ada.find(bob)
    ada.write("buy my pills")
    ada.see_message_state("buy my pills", "delivered")

    complaints: list[str] = []
    page = log_in_moderator(browser, chat_server, complaints)
    page.goto(f"{chat_server.base_url}/admin/accounts/user/?q={ada.username}")
    page.get_by_role("link", name=ada.username).click()
    page.get_by_role("link", name="Suspend").click()
    page.get_by_label("Reason").fill("sells pills")
    confirmed_at = time.monotonic()
    page.get_by_role("button", name="Suspend").click()
    expect(ada.page.get_by_role("heading", name="Your account is suspended")).to_be_visible()
    waited = time.monotonic() - confirmed_at
    expect(page.get_by_text("The user is suspended.")).to_be_visible()
    assert waited <= PROMISED_SECONDS, f"the window closed {waited:.1f} s after the moderator had confirmed"

    expect(ada.page.get_by_role("alert")).to_have_text("This account is suspended: sells pills")
    expect(ada.page.get_by_role("textbox", name="Message")).to_have_count(0)
    ada.page.get_by_role("link", name="Log in again").click()
    ada.page.get_by_label("Username").fill(ada.username)
    ada.page.get_by_label("Password").fill(PASSWORD)
    ada.page.get_by_role("button", name="Log in").click()
    expect(ada.page.get_by_role("alert")).to_have_text(re.compile("suspended: sells pills"))
    bob.wait_connected()
    assert not complaints, "the pages of the admin load only what their policy allows"
    page.context.close()


def test_every_page_of_the_admin_keeps_to_its_policy_and_has_the_sites_colours(
    browser: Browser, chat_server: Server
) -> None:
    chat_server.manage("shell", "-c", MAKE_SUPERUSER.format(password=PASSWORD))
    complaints: list[str] = []
    page = log_in(browser, chat_server, "root", complaints)
    for path in ("", *PAGES):
        page.goto(f"{chat_server.base_url}/admin/{path}", wait_until="networkidle")
        color = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--color-primary-600')")
        assert (color, complaints) == ("#1c7971", []), path
    page.locator("[x-on\\:click*='openUserLinks']").first.click()
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html.dark")).to_be_visible()
    assert not complaints
    page.context.close()


def test_a_warning_is_shown_until_it_is_dismissed_in_this_browser(
    make_person: PersonMaker, chat_server: Server
) -> None:
    ada = make_person("Ada")
    ada.register()
    for note in ("Be kind.", "Be kinder."):
        chat_server.manage("shell", "-c", WARN.format(username=ada.username, note=note))
    warning = ada.page.get_by_role("alert")
    expect(warning).to_have_count(0)
    ada.page.reload()
    expect(warning).to_contain_text("Be kind.")
    warning.get_by_role("button", name="Dismiss").click()
    expect(warning).to_contain_text("Be kinder.")
    ada.page.reload()
    expect(warning).to_contain_text("Be kinder.")
    warning.get_by_role("button", name="Dismiss").press("Enter")
    expect(warning).to_have_count(0)
    with ada.page.expect_response("**/api/warnings"):
        ada.page.reload()
    ada.wait_connected()
    expect(warning).to_have_count(0)
