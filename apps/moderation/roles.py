"""The roles: groups of permissions, made after each migration. What was added to a group by hand stays."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Group, Permission

_READING = (
    "accounts.view_user",
    "accounts.view_device",
    "groups.view_group",
    "moderation.view_report",
    "moderation.view_warningnote",
    "moderation.view_addressban",
    "moderation.view_auditentry",
)
_SERVERS = ("moderation.view_live_figures", "moderation.view_dead_letters")

ROLES: Mapping[str, Sequence[str]] = {
    "read-only": (*_READING, "moderation.view_live_figures"),
    "moderator": (
        *_READING,
        "moderation.decide_report",
        "moderation.suspend_user",
        "moderation.end_sessions",
        "moderation.add_addressban",
        "moderation.change_addressban",
        "moderation.delete_addressban",
    ),
    "operator": (
        "accounts.view_user",
        "accounts.view_device",
        "moderation.view_addressban",
        "moderation.add_addressban",
        "moderation.change_addressban",
        "moderation.delete_addressban",
        "moderation.end_sessions",
        "moderation.view_auditentry",
        *_SERVERS,
    ),
}


def make_roles(using: str = "default", **_: Any) -> None:
    """Make missing groups and give each what its role needs; ``post_migrate`` calls it with a database's name."""
    if using != "default":
        return
    found = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.using(using).select_related("content_type")
    }
    for name, codenames in ROLES.items():
        group, _created = Group.objects.using(using).get_or_create(name=name)
        # Right after migrating to an older state some do not exist.
        group.permissions.add(*[found[codename] for codename in codenames if codename in found])
