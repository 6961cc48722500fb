"""/api/reports and /api/warnings."""

from types import SimpleNamespace
from typing import Any

import pytest

from apps.accounts.attempts import REPORTS
from apps.api.answers import ReportAnswer, WarningAnswer
from apps.api.examples import EXAMPLES
from apps.moderation.models import Report, WarningNote
from apps.moderation.services import dismiss_report, reporting
from tests.unit.api.conftest import Person

MESSAGE_ID = "msg-0123456789abcdef"
PATH = "/api/reports"


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand in for the Message DB: what is put in here it knows."""
    known: dict[str, Any] = {}
    store = SimpleNamespace(list_standings=lambda ids: {one: known[one] for one in ids if one in known})
    monkeypatch.setattr(reporting, "get_message_store", lambda: store)
    return known


def standing(sender: Person, receiver: Person, refusal: str = "") -> Any:
    """What the Message DB says of a message."""
    return SimpleNamespace(sender_id=sender.user.pk, receiver_id=receiver.user.pk, refusal=refusal, group_id="")


def test_a_user_is_reported_and_the_report_is_listed(ada: Person, bob: Person) -> None:
    made = ada.client.post(PATH, {"user_id": bob.user.pk, "reason": "spam"}, format="json")
    assert made.status_code == 201
    body = made.json()
    assert (body["user_id"], body["message_id"], body["state"], body["closed_at"]) == (bob.user.pk, None, "open", None)
    again = ada.client.post(PATH, {"user_id": bob.user.pk, "reason": "spam again"}, format="json")
    assert (again.status_code, again.json()["report_id"]) == (200, body["report_id"])
    assert ada.client.get(PATH).json() == {"results": [body], "next": None}
    assert bob.client.get(PATH).json()["results"] == [], "nobody sees what others report"


def test_a_received_message_is_reported_with_the_words_as_handed_in(
    ada: Person, bob: Person, messages: dict[str, Any]
) -> None:
    messages[MESSAGE_ID] = standing(bob, ada)
    words = {"message_id": MESSAGE_ID, "reason": "threat", "content": "I know where you live"}
    made = ada.client.post(PATH, words, format="json")
    assert made.status_code == 201
    assert (made.json()["message_id"], made.json()["user_id"]) == (MESSAGE_ID, None)
    report = Report.objects.get(pk=made.json()["report_id"])
    assert (report.reported_user_id, report.content) == (bob.user.pk, "I know where you live")


def test_a_foreign_message_tells_no_more_than_one_that_does_not_exist(
    ada: Person, bob: Person, person: Any, messages: dict[str, Any]
) -> None:
    body = {"message_id": MESSAGE_ID, "reason": "curious"}
    unknown = ada.client.post(PATH, body, format="json")
    assert unknown.status_code == 404
    for one in (standing(bob, person("carl")), standing(ada, bob), standing(bob, ada, refusal="forbidden")):
        messages[MESSAGE_ID] = one
        foreign = ada.client.post(PATH, body, format="json")
        assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "x"}, "body"),
        ({"reason": "x", "user_id": "usr-0123456789ab", "message_id": MESSAGE_ID}, "body"),
        ({"reason": "x", "user_id": "somebody"}, "user_id"),
        ({"reason": "x", "user_id": {"pk": 1}}, "user_id"),
        ({"reason": "x", "message_id": "msg-1"}, "message_id"),
        ({"user_id": "usr-0123456789ab"}, "reason"),
        ({"user_id": "usr-0123456789ab", "reason": ""}, "reason"),
        ({"user_id": "usr-0123456789ab", "reason": "x" * 501}, "reason"),
        ({"user_id": "usr-0123456789ab", "reason": "x", "content": "x" * 1_001}, "content"),
    ],
)
def test_a_bad_report_names_the_field(ada: Person, body: dict[str, Any], field: str) -> None:
    refused = ada.client.post(PATH, body, format="json")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, [field])


def test_oneself_and_nobody_cannot_be_reported(ada: Person) -> None:
    assert ada.client.post(PATH, {"user_id": ada.user.pk, "reason": "x"}, format="json").status_code == 400
    assert ada.client.post(PATH, {"user_id": "usr-0123456789ab", "reason": "x"}, format="json").status_code == 404


def test_reports_are_limited_by_user(ada: Person, bob: Person) -> None:
    body = {"user_id": bob.user.pk, "reason": "spam"}
    answers = [ada.client.post(PATH, body, format="json") for _ in range(REPORTS.windows[0][1] + 1)]
    assert [one.status_code for one in answers[:2]] == [201, 200]
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, "throttled")
    assert "Retry-After" in answers[-1].headers
    other = {"user_id": ada.user.pk, "reason": "spam"}
    assert bob.client.post(PATH, other, format="json").status_code == 201


def test_many_reports_come_in_pages(ada: Person, person: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.api.reports.PAGE_SIZE", 2)
    made = [
        ada.client.post(PATH, {"user_id": person(f"person{n}").user.pk, "reason": "x"}, format="json").json()
        for n in range(5)
    ]
    seen, cursor = [], ""
    while cursor is not None:
        page = ada.client.get(PATH, {"cursor": cursor}).json()
        seen += page["results"]
        cursor = page["next"]
    assert seen == made[::-1]


def test_reports_and_warnings_look_as_the_schema_says(ada: Person, bob: Person) -> None:
    report = ada.client.post(PATH, {"user_id": bob.user.pk, "reason": "spam"}, format="json").json()
    dismiss_report(bob.user, report["report_id"], "nothing")
    WarningNote.objects.create(user=ada.user, note="be kind")
    [closed] = ada.client.get(PATH).json()["results"]
    [warning] = ada.client.get("/api/warnings").json()["results"]
    assert (closed["state"], closed["closed_at"] is None) == ("closed", False)
    assert set(report) == set(closed) == set(ReportAnswer().fields) == set(EXAMPLES["ReportAnswer"])
    assert set(warning) == set(WarningAnswer().fields) == set(EXAMPLES["WarningPageAnswer"]["results"][0])


def test_a_warning_is_read_by_whom_it_is_for(ada: Person, bob: Person, anonymous: Any) -> None:
    WarningNote.objects.create(user=ada.user, note="be kind")
    assert [one["note"] for one in ada.client.get("/api/warnings").json()["results"]] == ["be kind"]
    assert bob.client.get("/api/warnings").json()["results"] == []
    assert anonymous.get("/api/warnings").status_code == 401
