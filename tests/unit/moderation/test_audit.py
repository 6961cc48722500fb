"""The audit log only grows."""

from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client

from apps.accounts.models import User
from apps.moderation.audit import record
from apps.moderation.models import AppendOnlyError, AuditEntry
from apps.moderation.services import suspend

pytestmark = pytest.mark.usefixtures("cache_valkey")


def test_an_entry_is_neither_changed_nor_deleted(moderator: User) -> None:
    record(moderator, "suspend", "usr-000000000001", "spam")
    entry = AuditEntry.objects.get()
    entry.reason = "nothing"
    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with pytest.raises(AppendOnlyError):
            change()
    with pytest.raises(AppendOnlyError):
        AuditEntry.objects.update(reason="nothing")
    assert AuditEntry.objects.get().reason == "spam"


@pytest.mark.parametrize("role", ["moderator", "superuser"])
def test_its_pages_are_to_read(
    make_staff: Callable[[str], User], browser_of: Callable[[User], Client], role: str
) -> None:
    staff = make_staff(role)
    record(staff, "suspend", "usr-000000000001", "spam")
    browser, entry = browser_of(staff), AuditEntry.objects.get()
    assert "spam" in browser.get("/admin/moderation/auditentry/").content.decode()
    page = f"/admin/moderation/auditentry/{entry.pk}/"
    assert browser.get(f"{page}change/").status_code == 200
    assert browser.post(f"{page}change/", {"reason": "nothing"}).status_code == 403
    assert browser.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    assert browser.get("/admin/moderation/auditentry/add/").status_code == 403


def test_a_deed_that_is_rolled_back_leaves_no_entry(moderator: User, ada: User) -> None:
    with transaction.atomic():
        suspend(moderator, ada.pk, "spam")
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()
    ada.refresh_from_db()
    assert ada.is_active


def test_an_entry_outlives_who_did_it_and_to_whom(moderator: User, ada: User) -> None:
    suspend(moderator, ada.pk, "spam")
    ada.delete()
    moderator.delete()
    assert str(AuditEntry.objects.get()).startswith("suspend on usr-")
