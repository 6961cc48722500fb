"""Reports: what may be reported, what that tells, and what moderators do with it."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import Reputation, User
from apps.moderation.errors import AlreadyDecidedError
from apps.moderation.models import AuditEntry, Report, WarningNote
from apps.moderation.services import (
    dismiss_report,
    report_spammer,
    report_user,
    reporting,
    take_report,
    warn_reported,
)

pytestmark = pytest.mark.usefixtures("cache_valkey")


@pytest.fixture
def report(ada: User, bob: User) -> Report:
    """Return a report by Bob of Ada."""
    return report_user(bob.pk, ada.pk, "rude to everybody", "you are all <b>fools</b>")[0]


@pytest.fixture
def desk(moderator: User, browser_of: Callable[[User], Client]) -> Client:
    """Return a browser of a moderator."""
    return browser_of(moderator)


def path_of(report: Report, page: str) -> str:
    """The path of one of a report's pages."""
    return f"/admin/moderation/report/{report.pk}/{page}/"


def test_the_queue_shows_undecided_reports_first(desk: Client, ada: User, bob: User, moderator: User) -> None:
    first, second = report_user(bob.pk, ada.pk, "one")[0], report_user(ada.pk, bob.pk, "two")[0]
    dismiss_report(moderator, second.pk, "nothing")
    page = desk.get("/admin/moderation/report/").content.decode()
    assert page.index(first.pk) < page.index(second.pk)


def test_a_report_shows_the_words_as_they_were_handed_in(desk: Client, report: Report) -> None:
    page = desk.get(path_of(report, "change")).content.decode()
    assert "you are all &lt;b&gt;fools&lt;/b&gt;" in page
    assert "the reporter&#x27;s own copy" in page or "the reporter's own copy" in page


def test_taking_makes_it_the_moderators_own(desk: Client, report: Report, moderator: User) -> None:
    desk.get(path_of(report, "take"))
    report.refresh_from_db()
    assert report.state == Report.State.OPEN, "a link that somebody else made changes nothing"
    desk.post(path_of(report, "take"))
    report.refresh_from_db()
    assert (report.state, report.assignee) == (Report.State.IN_PROGRESS, moderator)


def test_what_was_taken_can_be_released_for_others(desk: Client, report: Report) -> None:
    release = path_of(report, "release")
    assert release.encode() not in desk.get(path_of(report, "change")).content, "nobody has it"
    desk.post(path_of(report, "take"))
    assert release.encode() in desk.get(path_of(report, "change")).content
    assert desk.post(release, {"reason": "going home"}).status_code == 302
    report.refresh_from_db()
    assert (report.state, report.assignee) == (Report.State.OPEN, None)
    assert AuditEntry.objects.filter(action="release report", target=report.pk, reason="going home").exists()


@pytest.mark.parametrize(
    ("page", "outcome", "active"),
    [("dismiss", "dismissed", True), ("warn", "warned", True), ("suspend", "suspended", False)],
)
def test_a_decision_closes_the_report(desk: Client, report: Report, page: str, outcome: str, active: bool) -> None:
    assert desk.get(path_of(report, page)).status_code == 200
    assert desk.post(path_of(report, page), {"reason": "be kind"}).status_code == 302
    report.refresh_from_db()
    assert (report.state, report.outcome) == ("closed", outcome)
    assert User.objects.get(pk=report.reported_user_id).is_active is active
    assert WarningNote.objects.filter(note="be kind").exists() is (outcome == "warned")
    targets = set(AuditEntry.objects.values_list("target", flat=True))
    assert report.pk in targets
    assert f"/{page}/".encode() not in desk.get(path_of(report, "change")).content


def test_a_decided_report_stays_decided(report: Report, moderator: User) -> None:
    dismiss_report(moderator, report.pk, "nothing")
    for decide in (take_report, lambda one, two: warn_reported(one, two, "no")):
        with pytest.raises(AlreadyDecidedError):
            decide(moderator, report.pk)
    assert not WarningNote.objects.exists()


def test_who_may_only_read_decides_nothing(
    report: Report, make_staff: Callable[[str], User], browser_of: Callable[[User], Client]
) -> None:
    reader = browser_of(make_staff("read-only"))
    assert reader.get(path_of(report, "change")).status_code == 200
    for page in ("take", "release", "dismiss", "warn", "suspend"):
        assert reader.post(path_of(report, page), {"reason": "x"}).status_code == 403
    operator = browser_of(make_staff("operator"))
    assert operator.get(path_of(report, "change")).status_code == 403, "operators look after servers, not words"


def test_the_same_report_is_counted_on_the_first_until_it_is_decided(ada: User, bob: User, moderator: User) -> None:
    first, is_new = report_user(bob.pk, ada.pk, "one")
    again, is_new_again = report_user(bob.pk, ada.pk, "two")
    assert (is_new, is_new_again) == (True, False)
    assert (again.pk, again.repeats, again.reason) == (first.pk, 1, "one")
    dismiss_report(moderator, first.pk, "nothing")
    assert report_user(bob.pk, ada.pk, "three")[1]


def test_two_equal_reports_at_once_become_one(ada: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    first = report_user(bob.pk, ada.pk, "one")[0]
    fold = reporting._fold
    # The first look comes before the other one's insert.
    looks: list[Callable[[dict[str, str]], Report | None]] = [lambda key: None, fold]
    monkeypatch.setattr(reporting, "_fold", lambda key: looks.pop(0)(key))
    assert report_user(bob.pk, ada.pk, "two") == (first, False)


def limit_ada(ada: User) -> Report:
    """What the spam scorer does when it finds somebody, and the report that comes of it."""
    report_spammer(ada.pk, points=1.2, reason="wrote to 120 people within an hour who have not answered")
    return Report.objects.get(reported_user=ada)


def test_whom_the_spam_scorer_limits_is_in_the_queue(desk: Client, ada: User) -> None:
    report = limit_ada(ada)
    assert Reputation.objects.get(user=ada).limited_until
    page = desk.get("/admin/moderation/report/", {"by": "scorer"}).content.decode()
    assert report.pk in page
    assert "wrote to 120 people" in page
    assert "the spam scorer" in desk.get(path_of(report, "change")).content.decode()
    assert report.pk not in desk.get("/admin/moderation/report/", {"by": "people"}).content.decode()


def test_the_scorer_hands_no_words_in(desk: Client, ada: User) -> None:
    assert "reporter's own copy" not in desk.get(path_of(limit_ada(ada), "change")).content.decode()


def test_one_who_is_limited_again_meanwhile_is_counted_on_the_report(ada: User) -> None:
    limit_ada(ada)
    assert not report_spammer(ada.pk, points=2.0, reason="still limited")
    Reputation.objects.update(limited_until=None)
    assert report_spammer(ada.pk, points=1.5, reason="again")
    assert Report.objects.get().repeats == 1


def test_a_report_of_a_person_and_one_of_the_scorer_stand_beside_each_other(ada: User, report: Report) -> None:
    report_spammer(ada.pk, points=1.2, reason="many")
    assert Report.objects.filter(reported_user=ada).count() == 2


def test_limit_and_report_stand_or_fall_together(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no report")

    monkeypatch.setattr(reporting, "_report", fail)
    with pytest.raises(RuntimeError, match="no report"):
        report_spammer(ada.pk, points=1.2, reason="many")
    assert not Reputation.objects.exists()


def test_dismissing_what_the_scorer_found_ends_the_limit_and_it_does_not_come_again(desk: Client, ada: User) -> None:
    report = limit_ada(ada)
    desk.post(path_of(report, "dismiss"), {"reason": "invited the whole club"})
    assert Reputation.objects.get().limited_until is None
    assert not report_spammer(ada.pk, points=1.3, reason="the same people still have not answered")
    assert Report.objects.get().outcome == "dismissed"


def test_dismissing_a_report_of_a_person_leaves_a_limit_alone(desk: Client, ada: User, report: Report) -> None:
    limit = report_spammer(ada.pk, points=1.2, reason="many")
    desk.post(path_of(report, "dismiss"), {"reason": "nothing"})
    assert limit
    assert Reputation.objects.get().limited_until is not None
