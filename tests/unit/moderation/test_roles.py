"""The roles are there after a migration, and hold what they should."""

import pytest
from django.contrib.auth.models import Group

from apps.moderation.roles import ROLES, make_roles


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_its_permissions(db: None, role: str) -> None:
    permissions = Group.objects.get(name=role).permissions.select_related("content_type")
    assert {f"{one.content_type.app_label}.{one.codename}" for one in permissions} == set(ROLES[role])


def test_what_was_given_by_hand_stays(db: None) -> None:
    group = Group.objects.get(name="read-only")
    extra = Group.objects.get(name="moderator").permissions.get(codename="decide_report")
    group.permissions.add(extra)
    make_roles()
    assert extra in group.permissions.all()


def test_nobody_but_superusers_may_change_users_or_groups() -> None:
    given = {permission for permissions in ROLES.values() for permission in permissions}
    assert not {one for one in given if one.startswith(("accounts.", "auth.")) and ".view_" not in one}
