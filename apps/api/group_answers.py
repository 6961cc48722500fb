"""What the doors of groups answer, for the OpenAPI page; see `answers`."""

from rest_framework import serializers

from apps.api.answers import Fields, ProfileAnswer
from apps.groups.rules import ROLES


class GroupAnswer(Fields):
    """A group of the asking user's."""

    group_id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(help_text="Empty where there is none.")
    picture = serializers.CharField(help_text="The id of a medium; empty where there is none.")
    version = serializers.IntegerField(help_text="Grows with every change.")
    member_count = serializers.IntegerField()
    only_admins_write = serializers.BooleanField()
    slow_mode_seconds = serializers.IntegerField(
        help_text="Between two messages of a member; 0: as often as they like."
    )
    frozen = serializers.BooleanField(help_text="By moderators: nobody may write.")
    freeze_reason = serializers.CharField(help_text="Empty where none was given.")
    delivery = serializers.ChoiceField(
        choices=["push", "poll"], help_text="Whether messages come over the WebSocket, or are asked for."
    )
    created_at = serializers.IntegerField(help_text="ms since the Unix epoch")
    role = serializers.ChoiceField(choices=ROLES, help_text="The asking user's own.")
    muted_until = serializers.IntegerField(allow_null=True, help_text="ms since the Unix epoch; null: not muted.")


class MemberAnswer(ProfileAnswer):
    """Somebody in a group."""

    role = serializers.ChoiceField(choices=ROLES)


class OpenGroupAnswer(GroupAnswer):
    """A group with its members."""

    members = MemberAnswer(many=True, help_text="The first 500; all are at `…/members`.")


class PendingAnswer(Fields):
    """A change that stands on the log, and is not in force yet."""

    group_id = serializers.CharField()
    event_id = serializers.CharField(help_text="Of the `group_event` that tells when it is.")


class InviteAnswer(Fields):
    """A live invite."""

    number = serializers.IntegerField(help_text="For `DELETE …/invite/{number}`.")
    created_by = serializers.CharField(allow_null=True, help_text="Null: a user who was deleted.")
    created_at = serializers.IntegerField(help_text="ms since the Unix epoch")
    expires_at = serializers.IntegerField(help_text="ms since the Unix epoch")


class NewInviteAnswer(InviteAnswer):
    """A fresh invite."""

    token = serializers.CharField(help_text="Shown here and never again; for `/api/invite/{token}`.")
    invite_url = serializers.CharField(
        help_text="For people. The token is behind the `#`, which browsers send nowhere."
    )


class PreviewAnswer(Fields):
    """A group that one is invited to."""

    group_id = serializers.CharField()
    name = serializers.CharField()
    picture = serializers.CharField()
    member_count = serializers.IntegerField()
    expires_at = serializers.IntegerField(help_text="Of the invite; ms since the Unix epoch")


class MuteAnswer(Fields):
    """How a group is muted."""

    muted_until = serializers.IntegerField(allow_null=True, help_text="ms since the Unix epoch")
