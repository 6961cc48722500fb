"""The Message DB's tables for the ORM adapter."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q


class Message(models.Model):
    """One message: content until nobody needs it, then the bare facts for 7 days more.

    Times are ms since the Unix epoch. Lists of devices and ``history_for`` are ids, each followed by a space, so
    that one conditional UPDATE can take one out. ``receiver_id`` or ``group_id`` is empty.
    """

    id = models.CharField(primary_key=True, max_length=20)
    sender_id = models.CharField(max_length=16)
    sender_device = models.CharField(max_length=16)
    # 65 characters; of a message whose client id had been used before, followed by its own id.
    client_id = models.CharField(max_length=85)
    digest = models.CharField(max_length=32)
    receiver_id = models.CharField(max_length=16, blank=True, default="")
    group_id = models.CharField(max_length=16, blank=True, default="")
    conversation_id = models.CharField(max_length=20)
    sequence = models.BigIntegerField()
    content = models.TextField(null=True)  # noqa: DJ001  (NULL is "stripped", "" is not)
    envelope = models.TextField(null=True)  # noqa: DJ001
    media = models.TextField(null=True)  # noqa: DJ001
    reply_to = models.CharField(max_length=20, null=True)  # noqa: DJ001
    timestamp_ms = models.BigIntegerField()
    sent_at_ms = models.BigIntegerField()
    stored_at_ms = models.BigIntegerField()
    undelivered = models.BooleanField(default=True)
    # The receiver's devices that must confirm, and the sender's other ones that must confirm their copy.
    pending_devices = models.TextField(blank=True, default="")
    own_devices = models.TextField(blank=True, default="")
    waiting = models.BooleanField(default=True)
    confirmations = models.TextField(blank=True, default="")
    history_for = models.TextField(blank=True, default="")
    repeated = models.BooleanField(default=False)
    settled_at_ms = models.BigIntegerField(default=0)
    refusal = models.CharField(max_length=32, blank=True, default="")
    stripped_at_ms = models.BigIntegerField(null=True)
    expires_at_ms = models.BigIntegerField()
    # Of a group too large to push to; how many members should get a message, and how many had it when last counted.
    polled = models.BooleanField(default=False)
    members = models.PositiveIntegerField(default=0)
    delivered_count = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "message"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["sender_id", "sender_device", "client_id"], name="message_triple")
        ]
        # Every index costs each message; those that only some messages need are partial.
        indexes: ClassVar = [
            models.Index(fields=["receiver_id", "id"], name="message_waiting", condition=Q(waiting=True)),
            models.Index(fields=["sender_id"], name="message_own_copies", condition=~Q(own_devices="")),
            models.Index(
                fields=["sender_id", "settled_at_ms"], name="message_settled", condition=Q(settled_at_ms__gt=0)
            ),
            models.Index(fields=["conversation_id", "-sequence"], name="message_history", condition=~Q(history_for="")),
            models.Index(
                fields=["sender_id", "conversation_id", "-sequence"],
                name="message_history_sent",
                condition=~Q(history_for=""),
            ),
            models.Index(
                fields=["receiver_id", "conversation_id", "-sequence"],
                name="message_history_received",
                condition=~Q(history_for=""),
            ),
            models.Index(fields=["expires_at_ms"], name="message_expiry"),
            models.Index(fields=["group_id", "sequence"], name="message_of_group", condition=~Q(group_id="")),
            models.Index(
                fields=["group_id", "sequence"],
                name="message_group_waiting",
                condition=Q(waiting=True) & ~Q(group_id=""),
            ),
            # Events: what has no digest.
            models.Index(
                fields=["group_id", "stored_at_ms"],
                name="message_group_events",
                condition=Q(digest="") & ~Q(group_id=""),
            ),
        ]

    def __str__(self) -> str:
        return self.id


class ReadPointer(models.Model):
    """How far a user has read a conversation; only ever raised."""

    conversation_id = models.CharField(max_length=20)
    reader_id = models.CharField(max_length=16)
    peer_id = models.CharField(max_length=16)
    message_id = models.CharField(max_length=20)
    sequence = models.BigIntegerField()
    read_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "read_pointer"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation_id", "reader_id"], name="read_pointer_of_reader")
        ]
        indexes: ClassVar = [
            models.Index(fields=["reader_id", "read_at_ms"], name="read_pointer_reader"),
            models.Index(fields=["peer_id", "read_at_ms"], name="read_pointer_peer"),
        ]

    def __str__(self) -> str:
        return f"{self.reader_id} in {self.conversation_id}: {self.sequence}"


class GroupPointer(models.Model):
    """What a member's device has confirmed of a group; without a device: what any of them has."""

    group_id = models.CharField(max_length=16)
    user_id = models.CharField(max_length=16)
    device_id = models.CharField(max_length=16, blank=True, default="")
    upto = models.BigIntegerField(default=0)
    # Sequences above that, each followed by a space.
    beyond = models.TextField(blank=True, default="")

    class Meta:
        db_table = "group_pointer"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group_id", "user_id", "device_id"], name="group_pointer_of_device")
        ]
        indexes: ClassVar = [models.Index(fields=["user_id", "device_id"], name="group_pointer_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.device_id} in {self.group_id}: {self.upto}"


class GroupProgress(models.Model):
    """How far a group's rows are stored, and how far they are fanned out."""

    group_id = models.CharField(primary_key=True, max_length=16)
    stored_upto = models.BigIntegerField(default=0)
    fanned_upto = models.BigIntegerField(default=0)

    class Meta:
        db_table = "group_progress"
        indexes: ClassVar = [
            models.Index(
                fields=["group_id"], name="group_progress_behind", condition=Q(fanned_upto__lt=F("stored_upto"))
            )
        ]

    def __str__(self) -> str:
        return f"{self.group_id}: {self.fanned_upto} of {self.stored_upto}"
