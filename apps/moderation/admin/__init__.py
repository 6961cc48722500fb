"""The admin's pages for moderators. They are thin: services decide and write, and each decision asks for a reason."""

from apps.moderation.admin import address_bans, audit, chat_groups, groups, reports, users

__all__ = ["address_bans", "audit", "chat_groups", "groups", "reports", "users"]
