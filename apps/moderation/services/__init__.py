"""Writes of moderation. Each is one transaction that holds its audit entry, but for changes of groups, which the log
holds; they raise the classes of ``errors``.
"""

from apps.moderation.services.address_bans import ban_address, lift_address_ban
from apps.moderation.services.decisions import (
    dismiss_report,
    release_report,
    suspend_reported,
    take_report,
    warn_reported,
)
from apps.moderation.services.groups import (
    delete_group,
    freeze_group,
    give_role,
    remove_member,
    revoke_group_invite,
    unfreeze_group,
)
from apps.moderation.services.reporting import report_message, report_spammer, report_user
from apps.moderation.services.users import disconnect, end_sessions, lift_message_limit, lift_suspension, suspend

__all__ = [
    "ban_address",
    "delete_group",
    "disconnect",
    "dismiss_report",
    "end_sessions",
    "freeze_group",
    "give_role",
    "lift_address_ban",
    "lift_message_limit",
    "lift_suspension",
    "release_report",
    "remove_member",
    "report_message",
    "report_spammer",
    "report_user",
    "revoke_group_invite",
    "suspend",
    "suspend_reported",
    "take_report",
    "unfreeze_group",
    "warn_reported",
]
