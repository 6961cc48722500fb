"""A real Chromium, a real server, and people in front of them."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect, sync_playwright

from tests.browser.network import Network
from tests.browser.person import Person
from tests.client.server import Server, running_server

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}

PersonMaker = Callable[..., Person]

# Playwright gives a page five seconds, which a busy machine may need for one frame.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser."""
    for item in items:
        if "/tests/browser/" in item.path.as_posix():
            item.add_marker("browser")


def _find_chromium() -> str:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None and not os.environ.get("CI"):
        pytest.skip("no Chromium was found; name one in CHROMIUM")
    assert path is not None, "CI runs the browser tests, and no Chromium was found"
    return path


# Not for the whole session: while Playwright is open, its event loop is in the way of asynchronous tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file."""
    path = _find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chat_server() -> Iterator[Server]:
    """One server for all browser tests; each test makes people of its own."""
    _find_chromium()
    with running_server() as server:
        server.wait_ready()
        yield server


@pytest.fixture
def network(chat_server: Server) -> Iterator[Network]:
    """A line to the server that can be cut."""
    network = Network(chat_server.port)
    yield network
    network.close()


@pytest.fixture
def make_person(browser: Browser, chat_server: Server) -> Iterator[PersonMaker]:
    """Make people with profiles of their own: `make_person("Ada")`, on a phone, or over another line."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(display_name: str, *, viewport: ViewportSize = DESKTOP, base_url: str = chat_server.base_url) -> Person:
        context = browser.new_context(viewport=viewport, locale="en-GB")
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return Person(context, base_url, display_name)

    yield make
    for context in contexts:
        context.close()
    assert not complaints, "scripts failed on the pages"
