"""The admin's side bar: only what the person who asks may open."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import User

_PEOPLE = (
    ("Reports", "flag", "admin:moderation_report_changelist", "moderation.view_report"),
    ("Users", "person", "admin:accounts_user_changelist", "accounts.view_user"),
    ("Groups", "group", "admin:groups_group_changelist", "groups.view_group"),
    ("Bans by address", "block", "admin:moderation_addressban_changelist", "moderation.view_addressban"),
    ("Audit log", "history", "admin:moderation_auditentry_changelist", "moderation.view_auditentry"),
)
_SERVERS = (
    ("Live figures", "monitoring", "live-figures", "moderation.view_live_figures"),
    ("Dead letters", "mail_off", "dead-letters", "moderation.view_dead_letters"),
)
_ACCESS = (("Moderator roles", "shield_person", "admin:auth_group_changelist", "auth.view_group"),)


def build_navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of links, as unfold takes them."""
    groups = (("People", _PEOPLE), ("Servers", _SERVERS), ("Access", _ACCESS))
    built = [{"title": title, "items": _allowed(request.user, links)} for title, links in groups]
    return [group for group in built if group["items"]]


def _allowed(user: User | AnonymousUser, links: Sequence[tuple[str, str, str, str]]) -> list[dict[str, str]]:
    return [
        {"title": title, "icon": icon, "link": reverse(name)}
        for title, icon, name, permission in links
        if user.has_perm(permission)
    ]
