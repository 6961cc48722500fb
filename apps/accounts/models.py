"""Rows of the users' database. Services write them, selectors read them."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from apps.accounts.managers import UserManager
from apps.accounts.names import (
    DISPLAY_NAME_MAX_LENGTH,
    USERNAME_MAX_LENGTH,
    validate_display_name,
    validate_username,
)
from apps.accounts.palette import AVATAR_COLORS, avatar_color
from apps.protocol.ids import new_device_id, new_user_id

DEVICE_NAME_MAX_LENGTH = 64
HISTORY_DAYS = (0, 90)
SUSPENSION_REASON_MAX_LENGTH = 500

UNDER_WAY = timedelta(minutes=10)
"""A batch that was begun before has long taken effect by then, or will be begun anew."""


class User(AbstractBaseUser, PermissionsMixin):
    """A person. ``is_active`` False means suspended: no door opens, and nothing is lost."""

    id = models.CharField(primary_key=True, max_length=16, default=new_user_id, editable=False)
    username = models.CharField(
        max_length=USERNAME_MAX_LENGTH,
        unique=True,
        validators=[validate_username],
        error_messages={"unique": "This username is taken."},
    )
    display_name = models.CharField(max_length=DISPLAY_NAME_MAX_LENGTH, validators=[validate_display_name])
    avatar_color = models.CharField(max_length=7, choices=[(color, color) for color in AVATAR_COLORS], blank=True)
    is_active = models.BooleanField("active", default=True, help_text="Unset: suspended.")
    # The user reads it at the next login; empty where nobody gave one.
    suspension_reason = models.CharField(
        max_length=SUSPENSION_REASON_MAX_LENGTH, blank=True, default="", editable=False
    )
    is_staff = models.BooleanField("staff", default=False, help_text="May open the admin.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                Lower("username"), name="accounts_username_any_case", violation_error_message="This username is taken."
            )
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a user without a colour gets the one of the id."""
        self.avatar_color = self.avatar_color or avatar_color(self.id)
        super().save(*args, **kwargs)


class UserSettings(models.Model):
    """What a user has chosen. A user without a row has the defaults."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="settings")
    history_days = models.PositiveSmallIntegerField(default=0, choices=[(days, str(days)) for days in HISTORY_DAYS])
    show_last_seen = models.BooleanField(default=True)
    read_receipts = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "user settings"

    def __str__(self) -> str:
        return f"settings of {self.user_id}"


class ReputationQuerySet(models.QuerySet["Reputation"]):
    """What was found, and of whom it still counts."""

    def limited(self) -> Self:
        """Those whose lower limit stands now."""
        return self.filter(limited_until__gt=timezone.now())


class Reputation(models.Model):
    """What the spam scorer found of a user, and the lower limit that follows for a while. No row: nothing was found."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="reputation")
    points = models.FloatField(default=0.0, help_text="1.0 and more was taken for spam.")
    reason = models.CharField(max_length=200, blank=True, default="")
    messages_per_minute = models.PositiveIntegerField(null=True, help_text="While limited.")
    limited_until = models.DateTimeField(null=True)
    spared_until = models.DateTimeField(null=True, help_text="A moderator lifted the limit: none is made before.")
    times_limited = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar = ReputationQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["limited_until"], name="accounts_limited", condition=Q(limited_until__isnull=False))
        ]

    def __str__(self) -> str:
        return f"reputation of {self.user_id}: {self.points:.1f}"

    @property
    def is_limited(self) -> bool:
        """Whether the lower limit stands now."""
        return self.limited_until is not None and self.limited_until > timezone.now()


class HistoryErasure(models.Model):
    """A user turned history off: what only that user kept of messages accepted until then must leave the Message DB.

    The row is the order to do so; it stands until nothing of it can still be on its way there.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="history_erasures")
    accepted_until_ms = models.BigIntegerField()
    requested_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"history of {self.user_id} until {self.accepted_until_ms}"


class AccountErasure(models.Model):
    """A user was deleted: what the rest of the site still holds, or gets from a batch under way, must go too.

    The row is the order to do so; it stands as long as a replay of the log may bring back rows that name the user.
    """

    user_id = models.CharField(max_length=16, unique=True)
    requested_at = models.DateTimeField(default=timezone.now, editable=False)
    carried_out_at = models.DateTimeField(null=True, editable=False)
    """All was erased that was there at this time."""

    group_ids = models.TextField(blank=True, default="", editable=False)
    """Groups that the user was in, whose caches may hold their words; each followed by a space."""

    def __str__(self) -> str:
        return f"all of {self.user_id}"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left of what was under way when the user was deleted."""
        return self.carried_out_at is not None and self.carried_out_at >= self.requested_at + UNDER_WAY

    @property
    def log_holds_until(self) -> datetime:
        """Until when the log may hold what the user sent or received."""
        return self.requested_at + timedelta(hours=settings.LOG_RETENTION_HOURS)

    @property
    def stands_until(self) -> datetime:
        """When nothing can come any more."""
        return self.log_holds_until + UNDER_WAY


class Device(models.Model):
    """One login: a token, or a browser session. Its credential stands here as a hash only."""

    class Kind(models.TextChoices):
        """What the credential is."""

        TOKEN = "token", "Token"
        SESSION = "session", "Browser session"

    id = models.CharField(primary_key=True, max_length=16, default=new_device_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="devices")
    name = models.CharField(max_length=DEVICE_NAME_MAX_LENGTH)
    kind = models.CharField(max_length=7, choices=Kind)
    credential_hash = models.CharField(max_length=64, unique=True, editable=False)
    # Needed to end the Django session with the device; it is no secret that django_session does not hold as well.
    session_key = models.CharField(max_length=40, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind="token", session_key="", expires_at=None) | (Q(kind="session") & ~Q(session_key="")),
                name="accounts_device_kind_matches_credential",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class Contact(models.Model):
    """Somebody in a user's contact list; says nothing about the other direction."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="contacts")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="contact_of")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "person"], name="accounts_contact_once"),
            models.CheckConstraint(condition=~Q(owner=F("person")), name="accounts_contact_not_oneself"),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id} knows {self.person_id}"


class Block(models.Model):
    """A user refuses messages from another one."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="blocks")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="blocked_by")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "person"], name="accounts_block_once"),
            models.CheckConstraint(condition=~Q(owner=F("person")), name="accounts_block_not_oneself"),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id} blocks {self.person_id}"
