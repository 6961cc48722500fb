"""The whole production profile for the tests of this folder, and a browser before it."""

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.rehearsal.site import ProductionSite, running_production_site

OUTPUT_SHOWN = 3000  # characters of each process
# Whatever a test needs may first have to be started, on a machine that does much else.
TIMEOUT_SECONDS = 420


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs real servers, and has time to start them."""
    for item in items:
        if "/tests/production/" in item.path.as_posix():
            item.add_marker("production")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what the processes of its site printed last."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        site = item.funcargs.get("production_site")
        if isinstance(site, ProductionSite):
            for name, output in site.output_of_parts().items():
                report.sections.append((f"output of {name}", output[-OUTPUT_SHOWN:]))
    return report


@pytest.fixture(scope="session")
def running_site() -> Iterator[ProductionSite]:
    """The site of the session; tests ask for `production_site`."""
    with running_production_site() as site:
        yield site


@pytest.fixture
def production_site(running_site: ProductionSite) -> ProductionSite:
    """The whole site, ready: two gateways behind nginx, two relays, two workers, on three brokers and the rest.

    A test may break any part if it mends it again.
    """
    running_site.wait_ready()
    return running_site


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a measured figure where it is seen, whether the test passes or not."""

    def print_line(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", flush=True)

    return print_line
