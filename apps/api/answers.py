"""What the doors answer, for the OpenAPI page. `representations` builds it; a test holds one against the other."""

from functools import cache
from typing import Any

from rest_framework import serializers

from apps.accounts.models import HISTORY_DAYS
from apps.api.fields import NumberChoiceField
from apps.moderation.models import Report

Fields = serializers.Serializer[Any]


class ErrorAnswer(Fields):
    """The one shape of a refusal."""

    code = serializers.CharField(help_text="Stable; for programs.")
    message = serializers.CharField(help_text="A sentence for people.")
    fields = serializers.DictField(  # type: ignore[assignment]  # it is the contract's name for it
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Reasons by field, where fields of the body or the query are at fault.",
    )


class CredentialAnswer(Fields):
    """A fresh login."""

    token = serializers.CharField(allow_null=True, help_text="Shown here and never again; null for a session.")
    user_id = serializers.CharField()
    device_id = serializers.CharField()


class TicketAnswer(Fields):
    """A ticket for one WebSocket."""

    ticket = serializers.CharField(help_text="For `/ws/chat/?ticket=…`; good once.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


class ProfileAnswer(Fields):
    """What anybody may see of a user."""

    user_id = serializers.CharField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    avatar_color = serializers.CharField(help_text="`#rrggbb`")


class MeAnswer(ProfileAnswer):
    """The asking user and device."""

    device_id = serializers.CharField()
    date_joined = serializers.IntegerField(help_text="ms since the Unix epoch")


class RelationAnswer(ProfileAnswer):
    """Somebody on a list of the asking user's."""

    created_at = serializers.IntegerField(help_text="ms since the Unix epoch")


class SettingsAnswer(Fields):
    """What the asking user has chosen."""

    history_days = NumberChoiceField(HISTORY_DAYS)
    show_last_seen = serializers.BooleanField()
    read_receipts = serializers.BooleanField()


class PresenceAnswer(Fields):
    """How somebody stands for the asking user."""

    user_id = serializers.CharField()
    online = serializers.BooleanField()
    last_seen = serializers.IntegerField(
        allow_null=True, help_text="ms since the Unix epoch; null where it is not shown or not known"
    )


class DeviceAnswer(Fields):
    """One login of the asking user's."""

    device_id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["token", "session"])
    created_at = serializers.IntegerField(help_text="ms since the Unix epoch")
    last_seen_at = serializers.IntegerField(help_text="ms since the Unix epoch")
    current = serializers.BooleanField(help_text="Whether it is the one that asks.")


class MessageAnswer(Fields):
    """The fields of the frame `incoming_message`, with `receiver_id`."""

    message_id = serializers.CharField()
    sender_id = serializers.CharField()
    receiver_id = serializers.CharField(allow_null=True, help_text="Null where a group is it.")
    group_id = serializers.CharField(required=False)
    content = serializers.CharField(required=False)
    envelope = serializers.DictField(required=False, help_text="In place of content, where it is encrypted.")
    media = serializers.DictField(required=False)
    reply_to = serializers.CharField(required=False)
    timestamp = serializers.IntegerField(help_text="ms since the Unix epoch, by the server")
    delivered = serializers.BooleanField(
        required=False,
        help_text="Whether a device of the receiver has confirmed it; in a group, of every member. Left out where the "
        "group is polled.",
    )
    sequence = serializers.IntegerField(help_text="Orders the conversation, for everybody alike.")


class DeliveryAnswer(Fields):
    """How far a message has come."""

    delivered = serializers.IntegerField(help_text="Receivers of whom a device has confirmed it.")
    members = serializers.IntegerField(help_text="Receivers; 1 where it is not a group's.")
    read = serializers.IntegerField(required=False, help_text="In a group: members who have read it.")


class ConversationAnswer(Fields):
    """A conversation of which the asking user keeps history."""

    participant_id = serializers.CharField(help_text="A user or a group.")
    last_message = MessageAnswer()
    unread_count = serializers.IntegerField()


class ReportAnswer(Fields):
    """A report, as its reporter sees it."""

    report_id = serializers.CharField()
    user_id = serializers.CharField(allow_null=True, help_text="Null where a message was reported.")
    message_id = serializers.CharField(allow_null=True, help_text="Null where a user was reported.")
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=Report.State.values)
    created_at = serializers.IntegerField(help_text="ms since the Unix epoch")
    closed_at = serializers.IntegerField(allow_null=True, help_text="ms since the Unix epoch")


class WarningAnswer(Fields):
    """What a moderator told the asking user."""

    note = serializers.CharField()
    created_at = serializers.IntegerField(help_text="ms since the Unix epoch")


@cache
def page_of(item: type[Fields]) -> type[Fields]:
    """A list as the contract writes it: ``results``, and the cursor of the next page or null."""
    name = item.__name__.removesuffix("Answer")
    next_field = serializers.CharField(allow_null=True, help_text="For `?cursor=`; null: this was the last page.")
    return type(f"{name}PageAnswer", (serializers.Serializer,), {"results": item(many=True), "next": next_field})
