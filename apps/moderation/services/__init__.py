"""Writes of moderation. Each is one transaction that holds its audit entry; they raise the classes of ``errors``."""

from apps.moderation.services.address_bans import ban_address, lift_address_ban
from apps.moderation.services.decisions import (
    dismiss_report,
    release_report,
    suspend_reported,
    take_report,
    warn_reported,
)
from apps.moderation.services.reporting import report_message, report_spammer, report_user
from apps.moderation.services.users import disconnect, end_sessions, lift_message_limit, lift_suspension, suspend

__all__ = [
    "ban_address",
    "disconnect",
    "dismiss_report",
    "end_sessions",
    "lift_address_ban",
    "lift_message_limit",
    "lift_suspension",
    "release_report",
    "report_message",
    "report_spammer",
    "report_user",
    "suspend",
    "suspend_reported",
    "take_report",
    "warn_reported",
]
