"""Rows of the users' database. The relay's changes write them, and the services of invites and mutes; selectors read.

Sequences are those of the log: what a member gets is decided by them, never by a clock.
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from apps.accounts.models import User

NAME_MAX_LENGTH = 100
DESCRIPTION_MAX_LENGTH = 500
PICTURE_MAX_LENGTH = 64
FREEZE_REASON_MAX_LENGTH = 500


class Group(models.Model):
    """A group. ``version`` counts its changes; ``deleted_at`` is set where it is no more, for its rows stay a while."""

    id = models.CharField(primary_key=True, max_length=16, editable=False)
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    description = models.CharField(max_length=DESCRIPTION_MAX_LENGTH, blank=True, default="")
    picture = models.CharField(max_length=PICTURE_MAX_LENGTH, blank=True, default="")
    only_admins_write = models.BooleanField(default=False)
    slow_mode_seconds = models.PositiveIntegerField(default=0)
    frozen = models.BooleanField(default=False, help_text="Moderators only: nobody may write.")
    freeze_reason = models.CharField(max_length=FREEZE_REASON_MAX_LENGTH, blank=True, default="")
    is_polled = models.BooleanField(
        default=False, help_text="It has grown past GROUP_PUSH_LIMIT: messages are stored once, and members poll."
    )
    version = models.PositiveBigIntegerField(default=1)
    member_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class Member(models.Model):
    """A user's time in a group: from one sequence to another. Whoever comes back has another row."""

    class Role(models.TextChoices):
        """What a member may do: see `apps.groups.rules`."""

        OWNER = "owner", "Owner"
        ADMIN = "admin", "Admin"
        MEMBER = "member", "Member"

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role, default=Role.MEMBER)
    from_sequence = models.BigIntegerField()
    to_sequence = models.BigIntegerField(null=True)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    muted_until = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["group", "user"], condition=Q(to_sequence=None), name="groups_member_once_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(to_sequence=None) | Q(to_sequence__gt=F("from_sequence")),
                name="groups_member_from_before_to",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "group"], name="groups_of_user"),
            models.Index(fields=["group", "id"], condition=Q(to_sequence=None), name="groups_members_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.group_id}: {self.role}"


class Invite(models.Model):
    """A link with which whoever has it may join. Its token stands here as a hash only."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="invites")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="group_invites")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"invite {self.pk} to {self.group_id}"


class Change(models.Model):
    """What became of a change that somebody asked for: it is carried out once, and whoever asked finds the answer here.

    ``refusal`` is an error code, or empty; ``user_ids`` are those whom it really concerned, each followed by a space.
    """

    event_id = models.CharField(primary_key=True, max_length=20, editable=False)
    group_id = models.CharField(max_length=16)
    sequence = models.BigIntegerField()
    refusal = models.CharField(max_length=32, blank=True, default="")
    user_ids = models.TextField(blank=True, default="")
    version = models.PositiveBigIntegerField(default=0)
    settled_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["group_id", "sequence"], name="groups_change_of_group"),
            models.Index(fields=["settled_at"], name="groups_change_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} of {self.group_id}: {self.refusal or 'in force'}"
