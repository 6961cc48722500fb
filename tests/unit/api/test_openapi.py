"""The schema is the truth: every call is tried with what it says and with what it forbids, by everybody."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.conf import settings
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
from apps.api.refusals import REFUSALS
from apps.groups.errors import TEXTS as GROUP_TEXTS
from apps.groups.services import create_group, create_invite
from tests.unit.api.documented_client import documented_codes
from tests.unit.api.stored_messages import message_id, write

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.unsupported_method,
]
EXAMPLES_A_CALL = 25

SOURCES = ["apps/accounts/errors.py", "apps/gateway/http_limits.py"]
SOURCE_FOLDERS = ["apps/api", "apps/moderation", "apps/accounts/services", "apps/groups"]
CODE = re.compile(r'(?:\b|default_)code = "(\w+)"|"code": "(\w+)"|(?:error_response|_refuse)\((?:send, )?\w+, "(\w+)"')
LIMIT = re.compile(r'LimitReachedError\("(\w+)"')
REGISTER, LOG_IN = "POST /api/auth/register", "POST /api/auth/login"
NAMING = {"POST /api/contacts", "POST /api/blocks", "POST /api/reports"}
GROUP = "/api/groups/{group_id}"
JOIN = "POST /api/invite/{token}"
CHANGES = {
    f"PATCH {GROUP}",
    f"DELETE {GROUP}",
    f"POST {GROUP}/members",
    f"PATCH {GROUP}/members/{{user_id}}",
    f"DELETE {GROUP}/members/{{user_id}}",
}

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


def test_every_call_by_somebody_who_is_logged_in(api, ada, bob, group_log) -> None:
    keep_history = ada.client.put("/api/user/settings", {"history_days": 90}, format="json")
    assert keep_history.status_code == 200

    def log_in() -> dict[str, str]:
        ids["device_id"], token = log_in_again(ada)
        ids.update(new_group(ada, bob))
        return {"Authorization": f"Token {token}"}

    write(ada, bob, [1], keepers=[ada])
    ids = {
        "user_id": bob.user.pk,
        "participant_id": bob.user.pk,
        "device_id": ada.device.pk,
        "message_id": message_id(1),
        "token": create_invite(create_group(bob.user.pk, "Go", []), bob.user.pk)[1],
    } | new_group(ada, bob)
    seen = try_everything(api, log_in, ids)
    unknown_words = {"POST /api/auth/login", "POST /api/auth/password", "POST /api/contacts", "POST /api/blocks"}
    # The rules of names are not in the schema: whether a drawn one is fine is luck, and hypothesis draws from the words
    # in our sources too.
    unknown_words |= {"POST /api/auth/register", "POST /api/groups"}
    # They name somebody, or a message that the asking user received.
    unknown_words |= {"POST /api/reports", "POST /api/groups/{group_id}/members"}
    never_fine = {call for call, statuses in seen.items() if not any(200 <= status < 300 for status in statuses)}
    assert never_fine <= unknown_words | {"DELETE /api/contacts/{user_id}", "DELETE /api/blocks/{user_id}"}


def test_every_call_by_nobody(api, bob) -> None:
    seen = try_everything(api, dict, {"user_id": bob.user.pk, "participant_id": bob.user.pk})
    public = {"POST /api/auth/register", "POST /api/auth/login"}
    for call, statuses in seen.items():
        assert call in public or not any(200 <= status < 300 for status in statuses), call


def new_group(owner, member) -> dict[str, Any]:
    """A group of theirs with an invite: one of the calls deletes it."""
    group_id = create_group(owner.user.pk, "Chess", [member.user.pk])
    invite, _ = create_invite(group_id, owner.user.pk)
    return {"group_id": group_id, "number": invite.pk}


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
    assert all({"example", "examples"} & set(content) for content in shown)
    named = {content["schema"]["$ref"].rpartition("/")[2].removeprefix("Patched") for content in shown}
    assert named - {"ErrorAnswer"} == set(EXAMPLES)


def codes_in_the_sources() -> set[str]:
    """Every code that is written down where calls are refused."""
    root = Path(settings.BASE_DIR)
    files = [root / name for name in SOURCES]
    files += [file for folder in SOURCE_FOLDERS for file in (root / folder).rglob("*.py")]
    texts = [file.read_text() for file in files]
    written = {code for text in texts for match in CODE.findall(text) for code in match if code}
    return written | set(GROUP_TEXTS) | {f"too_many_{kind}" for text in texts for kind in LIMIT.findall(text)}


@pytest.fixture
def calls(api) -> dict[str, set[str]]:
    """Return the codes of each call of the schema."""
    return {
        f"{method.upper()} {path}": {
            code for status in operation["responses"] for code in documented_codes(operation, int(status))
        }
        for path, methods in api.raw_schema["paths"].items()
        for method, operation in methods.items()
    }


def test_every_code_that_is_written_anywhere_stands_at_some_call(calls: dict[str, set[str]]) -> None:
    found = codes_in_the_sources()
    assert {
        "history_off",
        "group_full",
        "too_many_invites",
        "invalid_json",
        "address_banned",
        "too_many_blocks",
        "overloaded",
    } <= found
    assert found <= set().union(*calls.values()) == set(REFUSALS)


def test_every_code_stands_at_the_calls_where_it_can_occur(calls: dict[str, set[str]]) -> None:
    private = set(calls) - {REGISTER, LOG_IN}
    changes = {call for call in calls if not call.startswith("GET ")}
    with_id = {call for call in calls if "{" in call}
    expected = {
        "invalid_credentials": {LOG_IN},
        "too_many_devices": {LOG_IN},
        "history_off": {"GET /api/history/{participant_id}"},
        "too_many_contacts": {"POST /api/contacts"},
        "too_many_blocks": {"POST /api/blocks"},
        "not_authenticated": private,
        "suspended": private | {LOG_IN},
        "forbidden": private & changes | {f"GET {GROUP}/invite"},
        "not_a_member": CHANGES,
        "frozen": {f"PATCH {GROUP}", f"POST {GROUP}/members", JOIN},
        "conflict": {f"POST {GROUP}/members", f"PATCH {GROUP}/members/{{user_id}}", JOIN},
        "group_full": {f"POST {GROUP}/members", JOIN},
        "owner_must_hand_over": {call for call in CHANGES if "user_id" in call},
        "invite_invalid": {JOIN, "GET /api/invite/{token}"},
        "too_many_groups": {"POST /api/groups", JOIN},
        "too_many_invites": {f"POST {GROUP}/invite"},
        "throttled": set(calls),
        "not_found": with_id | NAMING,
    }
    for code, where in expected.items():
        assert {call for call, codes in calls.items() if code in codes} == where, code
    for code in ("bad_request", "address_banned", "not_acceptable", "internal", "unavailable", "overloaded"):
        assert all(code in codes for codes in calls.values()), code


def test_an_example_of_a_refusal_has_its_code_and_status(api) -> None:
    operations: list[dict[str, Any]] = [one for path in api.raw_schema["paths"].values() for one in path.values()]
    for operation in operations:
        for status, answer in operation["responses"].items():
            for name, example in answer.get("content", {}).get("application/json", {}).get("examples", {}).items():
                assert (example["value"]["code"], str(REFUSALS[name].status)) == (name, status)
                assert name in answer["description"]


def test_the_page_says_what_holds_for_every_call(api) -> None:
    text = api.raw_schema["info"]["description"]
    for word in ("inbox_drained", "?cursor=", "`next`", "`If-None-Match`", "`method_not_allowed`"):
        assert word in text, word
    assert "| call |" not in text, "the calls stand beside it"
