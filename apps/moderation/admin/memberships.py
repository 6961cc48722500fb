"""Who is in which group, on the pages of groups and of users, with the way to what a moderator may do about it."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from apps.groups.models import Invite, Member
from apps.groups.rules import ADMIN, MEMBER, OWNER
from apps.groups.selectors import live_invites
from apps.moderation.admin.read_only import ShownInline

SHOWN = 100
"""Rows of one page: a group may have 100,000 members."""

ROLE_COLOURS = {"Owner": "success", "Admin": "info"}
_RANK = Case(When(role=OWNER, then=Value(0)), When(role=ADMIN, then=Value(1)), default=Value(2))
_GIVEN = {OWNER: "Hand over", ADMIN: "Make admin", MEMBER: "Make member"}


class GroupsInline(ShownInline):
    """Rows of groups, for those who may see groups; ``decisions`` are shown to those who may decide."""

    per_page = SHOWN
    hide_title = True
    shown: Sequence[str] = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As of groups."""
        return request.user.has_perm("groups.view_group")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What is shown."""
        return (*self.shown, "decisions") if request.user.has_perm("moderation.suspend_user") else self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All of it."""
        return self.get_fields(request, obj)


class PresentInline(GroupsInline):
    """Memberships that go on."""

    model = Member

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        """Not those who have left."""
        return super().get_queryset(request).filter(to_sequence=None).select_related("user", "group")

    @display(description="Role", label=ROLE_COLOURS)
    def shown_role(self, member: Member) -> str:
        """The role as a coloured label."""
        return str(member.get_role_display())

    @display(description="Decide")
    def decisions(self, member: Member) -> SafeString | str:
        """What can be done. The owner stays until the group is handed over."""
        if member.role == OWNER:
            return "-"
        kept = [role for role in (OWNER, ADMIN, MEMBER) if role != member.role]
        ways = [("remove", "Remove"), *((f"make-{role}", _GIVEN[role]) for role in kept)]
        place = f"{reverse('admin:groups_group_changelist')}{member.group_id}/members/{member.user_id}/"
        return format_html_join(" · ", "{}", [(_link(f"{place}{way}/", text),) for way, text in ways])


class MembersInline(PresentInline):
    """The members now: the owner, the admins, and the others in the order in which they joined."""

    verbose_name_plural = "Members"
    shown = ("shown_user", "shown_role", "joined_at")
    ordering = (_RANK, "pk")

    @display(description="User")
    def shown_user(self, member: Member) -> SafeString:
        """The way to the user's page."""
        return link_to("accounts_user", member.user_id, str(member.user))


class MembershipsInline(PresentInline):
    """The groups that a user is in now."""

    verbose_name_plural = "Groups"
    shown = ("shown_group", "shown_role", "joined_at")
    ordering = ("pk",)

    @display(description="Group")
    def shown_group(self, member: Member) -> SafeString:
        """The way to the group's page."""
        return link_to("groups_group", member.group_id, f"{member.group.name} ({member.group_id})")


class InvitesInline(GroupsInline):
    """The invites with which somebody may still join."""

    model = Invite
    verbose_name_plural = "Live invites"
    shown = ("number", "created_by", "created_at", "expires_at")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invite]:
        """The live ones."""
        return super().get_queryset(request).filter(live_invites()).select_related("created_by")

    @display(description="Number")
    def number(self, invite: Invite) -> str:
        """As which members know it."""
        return str(invite.pk)

    @display(description="Decide")
    def decisions(self, invite: Invite) -> SafeString:
        """What can be done."""
        changelist = reverse("admin:groups_group_changelist")
        return _link(f"{changelist}{invite.group_id}/invites/{invite.pk}/revoke/", "Revoke")


def link_to(model: str, key: str, text: str) -> SafeString:
    """A link to a row's page."""
    return _link(reverse(f"admin:{model}_change", args=[key]), text)


def _link(address: str, text: str) -> SafeString:
    """As unfold's own look."""
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, text)
