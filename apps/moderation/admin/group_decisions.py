"""What a moderator is asked before something is done to a group."""

from typing import NoReturn

from apps.accounts.models import User
from apps.groups.rules import ADMIN, MEMBER, OWNER
from apps.moderation.admin.decisions import Decision
from apps.moderation.services import delete_group, freeze_group, unfreeze_group


def _needs_more(actor: User, group_id: str, reason: str) -> NoReturn:
    """What is about one member or invite is told which when it is asked."""
    raise NotImplementedError


FREEZE = Decision(
    title="Freeze this group",
    explanation="Nobody may write, join, or change what is said of the group, until it is unfrozen. Members may leave, "
    "and keep what they have. They see that moderators froze it.",
    reason_label="Reason, which the members read",
    button="Freeze",
    done="The group is frozen.",
    apply=freeze_group,
    dangerous=True,
)
UNFREEZE = Decision(
    title="Unfreeze this group",
    explanation="Everybody may write again as before.",
    reason_label="Why it is unfrozen",
    button="Unfreeze",
    done="The group is not frozen any more.",
    apply=unfreeze_group,
)
DELETE = Decision(
    title="Delete this group",
    explanation="It ends for everybody and cannot be brought back: nobody is a member any more. What was sent before "
    "still reaches those whom it is for, and stays with them.",
    reason_label="Why, for the audit log",
    button="Delete for ever",
    done="The group is deleted.",
    apply=delete_group,
    dangerous=True,
)
REMOVE = Decision(
    title="Remove {user} from this group",
    explanation="The user gets nothing that is sent from now on. Members see who was removed, and that it was by "
    "moderators. An invite lets the user come back: revoke those that should not.",
    reason_label="Why, for the audit log",
    button="Remove",
    done="The user is no member any more.",
    apply=_needs_more,
    dangerous=True,
)
ROLES = {
    OWNER: Decision(
        title="Hand this group over to {user}",
        explanation="The user owns the group, and may do with it whatever an owner may. Who owned it is an admin then.",
        reason_label="Why, for the audit log",
        button="Hand over",
        done="The group is handed over.",
        apply=_needs_more,
    ),
    ADMIN: Decision(
        title="Make {user} an admin of this group",
        explanation="The user may change what is said of the group, add and remove members, and make invites.",
        reason_label="Why, for the audit log",
        button="Make admin",
        done="The user is an admin.",
        apply=_needs_more,
    ),
    MEMBER: Decision(
        title="Make {user} a plain member of this group",
        explanation="The user looks after the group no longer.",
        reason_label="Why, for the audit log",
        button="Make member",
        done="The user is a plain member.",
        apply=_needs_more,
    ),
}
REVOKE = Decision(
    title="Revoke an invite of this group",
    explanation="Nobody can join with it any more. Who did stays a member.",
    reason_label="Why, for the audit log",
    button="Revoke",
    done="The invite is revoked.",
    apply=_needs_more,
)
