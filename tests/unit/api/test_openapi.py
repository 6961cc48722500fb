"""The schema is the truth: every call is tried with what it says and with what it forbids, by everybody."""

import contextlib
from collections.abc import Callable

import pytest
import schemathesis
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks

from apps.accounts.services import log_in_device
from apps.api.examples import EXAMPLES

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.unsupported_method,
]
EXAMPLES_A_CALL = 25

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


@pytest.fixture
def api(settings, cache_valkey):
    """Return the schema as the site serves it, without limits."""
    settings.API_CALLS_PER_MINUTE = 0
    return schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())


def try_everything(api, make_headers: Callable[[], dict[str, str]], known: dict[str, str]) -> dict[str, set[int]]:
    """Make each call with what its schema says, with ids that exist, and with what is forbidden: call → statuses."""
    seen: dict[str, set[int]] = {}
    for found in api.get_all_operations():
        operation = found.ok()
        statuses = seen.setdefault(operation.label, set())
        ids = {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}
        headers = make_headers()  # anew: one of the calls logs out
        for strategy in (
            operation.as_strategy(),
            operation.as_strategy(path_parameters=ids) if ids else None,
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        ):
            if strategy is not None:
                try_call(strategy, headers, statuses)
    return seen


def try_call(strategy, headers: dict[str, str], statuses: set[int]) -> None:
    @hypothesis_settings(
        max_examples=EXAMPLES_A_CALL, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=strategy)
    def call(case) -> None:
        statuses.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    with contextlib.suppress(Unsatisfiable):  # a call without parameters has nothing that could be wrong
        call()


def test_every_call_by_somebody_who_is_logged_in(api, ada, bob) -> None:
    keep_history = ada.client.put("/api/user/settings", {"history_days": 90}, format="json")
    assert keep_history.status_code == 200

    def log_in() -> dict[str, str]:
        ids["device_id"], token = log_in_again(ada)
        return {"Authorization": f"Token {token}"}

    ids = {"user_id": bob.user.pk, "participant_id": bob.user.pk, "device_id": ada.device.pk}
    seen = try_everything(api, log_in, ids)
    unknown_words = {"POST /api/auth/login", "POST /api/auth/password", "POST /api/contacts", "POST /api/blocks"}
    unknown_words |= {"POST /api/reports"}  # it names somebody, or a message that the asking user received
    never_fine = {call for call, statuses in seen.items() if not any(200 <= status < 300 for status in statuses)}
    assert never_fine <= unknown_words | {"DELETE /api/contacts/{user_id}", "DELETE /api/blocks/{user_id}"}


def test_every_call_by_nobody(api, bob) -> None:
    seen = try_everything(api, dict, {"user_id": bob.user.pk, "participant_id": bob.user.pk})
    public = {"POST /api/auth/register", "POST /api/auth/login"}
    for call, statuses in seen.items():
        assert call in public or not any(200 <= status < 300 for status in statuses), call


def log_in_again(person) -> tuple[str, str]:
    device, token = log_in_device(person.user, "explorer")
    return device.pk, token


def test_the_schema_has_no_gaps(tmp_path) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_every_body_and_answer_has_an_example_that_fits(api) -> None:
    raw = api.raw_schema
    shown = [
        content
        for path in raw["paths"].values()
        for operation in path.values()
        for holder in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in holder.get("content", {}).values()
    ]
    assert all("example" in content for content in shown)
    named = {content["schema"]["$ref"].rpartition("/")[2].removeprefix("Patched") for content in shown}
    assert named - {"ErrorAnswer"} == set(EXAMPLES)
