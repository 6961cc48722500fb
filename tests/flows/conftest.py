"""Whole servers for the flow tests: one that nobody breaks, one for breaking, one with strict limits."""

import contextlib
from collections.abc import Generator, Iterator, Mapping

import pytest

from tests.client.people import AccountPool
from tests.client.server import Server, running_server
from tests.rehearsal.engines import running_engines

OUTPUT_SHOWN = 6000  # characters


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what its server printed last."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for name, value in item.funcargs.items():
            if isinstance(value, Server):
                report.sections.append((f"output of {name}", value.output[-OUTPUT_SHOWN:]))
    return report


@pytest.fixture(scope="session", params=["embedded", pytest.param("production", marks=pytest.mark.production)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with two gateway processes whose parts all live through the session.

    Every test on it runs twice: on embedded parts only, and on real Kafka, PostgreSQL, Valkey and MongoDB's protocol.
    """
    with contextlib.ExitStack() as stack:
        variables: Mapping[str, str | int] = {}
        if request.param == "production":
            variables = stack.enter_context(running_engines(brokers=1)).variables()
        yield stack.enter_context(running_server(arguments=("--workers", "2"), **variables))


@pytest.fixture(scope="session")
def breakable_server() -> Iterator[Server]:
    """A server whose processes a test may kill, pause and empty, if it waits for them to be back."""
    with running_server() as running:
        yield running


@pytest.fixture
def strict_server() -> Iterator[Server]:
    """A server with low limits, for one test: what one test uses up of a minute another would miss."""
    with running_server(RATE_LIMIT_PER_MINUTE=10, CONNECTIONS_PER_MINUTE_PER_ADDRESS=12) as running:
        yield running


@pytest.fixture(scope="session")
def accounts(server: Server) -> AccountPool:
    """Fresh accounts of `server`."""
    return AccountPool(server)


@pytest.fixture(scope="session")
def breakable_accounts(breakable_server: Server) -> AccountPool:
    """Fresh accounts of `breakable_server`."""
    return AccountPool(breakable_server)
