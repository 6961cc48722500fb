"""One person in front of a browser: what they do, and what they can see, by role and accessible name."""

import re
import secrets

from playwright.sync_api import BrowserContext, Locator, Page, expect

PASSWORD = "correct-horse-9"
CONNECT_TIMEOUT_MS = 60_000
ARRIVAL_TIMEOUT_MS = 60_000


class Person:
    """A person with a browser profile of their own, in which they may open windows and close them again."""

    def __init__(self, context: BrowserContext, base_url: str, display_name: str) -> None:
        self.display_name = display_name
        self.username = f"{display_name.lower()}.{secrets.token_hex(4)}"
        self.context = context
        self.base_url = base_url
        self.page = self.open_window()

    def open_window(self) -> Page:
        """A new window of the profile; from now on the person uses this one."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(ARRIVAL_TIMEOUT_MS)
        return self.page

    def register(self) -> None:
        """Make the account and wait until the chat is connected."""
        self.page.goto(f"{self.base_url}/register/")
        self.fill_registration()
        self.page.get_by_role("button", name="Register").click()
        self.wait_connected()

    def fill_registration(self, confirmation: str = PASSWORD) -> None:
        """Fill in the form for a new account."""
        self._fill("Username", self.username)
        self._fill("Display name", self.display_name)
        self._fill("Password", PASSWORD)
        self._fill("Confirm password", confirmation)

    def log_in(self) -> None:
        """Log in by the form and wait until the chat is connected."""
        self.page.goto(f"{self.base_url}/login/")
        self._fill("Username", self.username)
        self._fill("Password", PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.wait_connected()

    def open_app(self) -> None:
        """Open the chat in the present window, as one who is logged in."""
        self.page.goto(self.base_url)
        self.wait_connected()

    def wait_connected(self) -> None:
        """Wait until the status says so."""
        self.see_status("Connected")

    def see_status(self, text: str) -> None:
        """Wait until the status region says exactly this."""
        expect(self.page.get_by_role("status")).to_have_text(text, timeout=CONNECT_TIMEOUT_MS)

    def find(self, other: "Person") -> None:
        """Search for somebody by username and open the chat with them."""
        self.page.get_by_role("button", name="New chat").click()
        self.page.get_by_role("searchbox", name="Find a person").fill(other.username)
        self.page.get_by_role("list", name="People").get_by_role("button", name=other.display_name).click()
        expect(self.page.get_by_role("heading", name=other.display_name)).to_be_visible()

    def conversation_with(self, other: "Person") -> Locator:
        """The line of the conversation list."""
        conversations = self.page.get_by_role("list", name="Conversations")
        return conversations.get_by_role("listitem").filter(has_text=other.display_name)

    def online_mark_of(self, other: "Person") -> Locator:
        """The dot at somebody's line of the list."""
        return self.conversation_with(other).get_by_text("online", exact=True)

    def write(self, *texts: str) -> None:
        """Send messages to the open chat, each by Enter."""
        for text in texts:
            self._fill("Message", text)
            self.page.get_by_role("textbox", name="Message").press("Enter")

    @property
    def articles(self) -> Locator:
        """The messages of the open chat."""
        return self.page.get_by_role("log", name="Messages").get_by_role("article")

    def see_messages(self, *texts: str) -> None:
        """Wait until the open chat shows exactly these messages, in this order, each once."""
        expect(self.articles).to_contain_text(list(texts), timeout=ARRIVAL_TIMEOUT_MS)
        expect(self.articles).to_have_count(len(texts))

    def see_message_state(self, text: str, state: str) -> None:
        """Wait until the mark at one of the person's own messages has this name."""
        mark = self.articles.filter(has_text=text).get_by_role("img")
        expect(mark).to_have_attribute("aria-label", re.compile(f"^{state}$"), timeout=ARRIVAL_TIMEOUT_MS)

    def _fill(self, name: str, text: str) -> None:
        self.page.get_by_role("textbox", name=name, exact=True).fill(text)
