"""Rows of moderation. Services write them; nothing here holds message content but what a reporter handed in."""

from typing import Any, ClassVar, NoReturn, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.moderation.ids import new_report_id

REASON_MAX_LENGTH = 500
CONTENT_MAX_LENGTH = 1_000
ACTOR_NAME_MAX_LENGTH = 32


class Report(models.Model):
    """A user reports a user, or a message by its id. ``content`` is what the reporter handed in, true or not. Without a
    reporter it is the site's own: the spam scorer has limited somebody. ``group_id`` is of the group that the message
    went to.

    ``repeats`` counts how often the same was reported again while it was open.
    """

    class State(models.TextChoices):
        """Where a report stands."""

        OPEN = "open", "Open"
        IN_PROGRESS = "in_progress", "In progress"
        CLOSED = "closed", "Closed"

    class Outcome(models.TextChoices):
        """How a closed one ended."""

        DISMISSED = "dismissed", "Dismissed"
        WARNED = "warned", "Warned"
        SUSPENDED = "suspended", "Suspended"

    id = models.CharField(primary_key=True, max_length=16, default=new_report_id, editable=False)
    reporter = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="reports_made")
    reported_user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="reports_about")
    message_id = models.CharField(max_length=20, blank=True, default="")
    group_id = models.CharField(max_length=16, blank=True, default="", db_index=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH)
    content = models.TextField(max_length=CONTENT_MAX_LENGTH, blank=True, default="")
    state = models.CharField(max_length=11, choices=State, default=State.OPEN)
    outcome = models.CharField(max_length=9, choices=Outcome, blank=True, default="")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="reports_assigned"
    )
    repeats = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["reporter", "reported_user", "message_id"],
                condition=~Q(state="closed"),
                name="moderation_report_once_while_open",
            ),
            models.UniqueConstraint(  # to a database no NULL is like another
                fields=["reported_user"],
                condition=Q(reporter=None) & ~Q(state="closed"),
                name="moderation_own_report_once_while_open",
            ),
            models.CheckConstraint(
                condition=Q(state="closed", closed_at__isnull=False) & ~Q(outcome="")
                | ~Q(state="closed") & Q(closed_at=None, outcome=""),
                name="moderation_report_closed_with_outcome",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "-created_at"], name="moderation_report_queue")]
        default_permissions: ClassVar = ("view",)
        permissions: ClassVar = [("decide_report", "Can take, dismiss and act on reports")]

    def __str__(self) -> str:
        return self.id


class WarningNote(models.Model):
    """A note of a moderator to a user. The user reads it by ``GET /api/warnings``."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="warnings")
    report = models.ForeignKey(Report, models.SET_NULL, null=True, blank=True, related_name="warnings")
    note = models.CharField(max_length=REASON_MAX_LENGTH)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = "warning"
        default_permissions: ClassVar = ("view",)

    def __str__(self) -> str:
        return f"warning {self.pk} to {self.user_id}"


class AddressBanQuerySet(models.QuerySet["AddressBan"]):
    """Bans, and which of them count."""

    def in_force(self) -> Self:
        """Those that have not run out."""
        return self.filter(Q(until=None) | Q(until__gt=timezone.now()))


class AddressBan(models.Model):
    """Connections and requests from this range are refused until a time, or for good."""

    network = models.CharField("address range", max_length=43, unique=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH)
    until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar = AddressBanQuerySet.as_manager()

    class Meta:
        verbose_name = "ban by address"
        verbose_name_plural = "bans by address"

    def __str__(self) -> str:
        return self.network


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete an audit entry."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Reads as any other; refuses the writes that go past ``save``."""

    def update(self, **fields: Any) -> NoReturn:
        """Refuse. Raises AppendOnlyError."""
        raise AppendOnlyError("audit entries are never changed")

    def delete(self) -> NoReturn:
        """Refuse. Raises AppendOnlyError."""
        raise AppendOnlyError("audit entries are never deleted")


class AuditEntry(models.Model):
    """Who did what, when, to whom and why. Written in the transaction of the deed, and only ever added.

    It points to nobody by a foreign key: it outlives the rows that it tells of, so the name of the actor stands here.
    """

    at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    actor_id = models.CharField("by (id)", max_length=16)
    actor_name = models.CharField("by", max_length=ACTOR_NAME_MAX_LENGTH)
    action = models.CharField(max_length=32)
    target = models.CharField("on", max_length=64, db_index=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, blank=True)

    objects: ClassVar = AuditQuerySet.as_manager()

    class Meta:
        default_permissions: ClassVar = ("view",)
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} on {self.target} by {self.actor_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add it. Raises AppendOnlyError for one that stands already."""
        if not self._state.adding:
            raise AppendOnlyError("audit entries are never changed")
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse. Raises AppendOnlyError."""
        raise AppendOnlyError("audit entries are never deleted")


class SitePermissions(models.Model):
    """No table: permissions to act on users, and to see the admin's pages that show servers, not rows."""

    class Meta:
        managed = False
        default_permissions: ClassVar = ()
        permissions: ClassVar = [
            ("suspend_user", "Can suspend users and let them in again"),
            ("end_sessions", "Can end all sessions of a user"),
            ("view_live_figures", "Can see the live figures of the servers"),
            ("view_dead_letters", "Can see the list of dead letters (never their content)"),
        ]

    def __str__(self) -> str:
        return "permissions of the site"
