"""Groups in which people write to each other: find, look, freeze, delete, decide about members and invites."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.accounts.models import User
from apps.groups.models import Group, Member
from apps.moderation.admin.audit import show_in_audit_log
from apps.moderation.admin.decisions import Decision, decide
from apps.moderation.admin.group_decisions import DELETE, FREEZE, REMOVE, REVOKE, ROLES, UNFREEZE
from apps.moderation.admin.memberships import InvitesInline, MembersInline, link_to
from apps.moderation.admin.read_only import ReadOnlyAdmin
from apps.moderation.models import Report
from apps.moderation.services import give_role, remove_member, revoke_group_invite

REPORTS_SHOWN = 20
_STATE_COLOURS = {"Active": "success", "Frozen": "warning", "Deleted": "danger"}


class DeletedFilter(admin.SimpleListFilter):
    """Those that are, or are no more."""

    title = "deleted"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """What can be chosen."""
        return (("no", "no"), ("yes", "yes"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> QuerySet[Group]:
        """Those that were chosen."""
        return queryset if self.value() is None else queryset.filter(deleted_at__isnull=self.value() == "no")


@admin.register(Group)
class ChatGroupAdmin(ReadOnlyAdmin):
    """Every change goes over the log, so that members see it; nobody edits a row."""

    list_display = ("name", "shown_state", "member_count", "delivery", "created_at", "id")
    list_filter = ("frozen", DeletedFilter, "is_polled")
    search_fields = ("=id", "name", "=members__user__username")
    search_help_text = "Name, the whole grp- id, or the username of somebody who is or was a member"
    ordering = ("-created_at",)
    actions = None
    actions_detail = ("freeze", "unfreeze", "end")
    inlines = (MembersInline, InvitesInline)
    fieldsets = (
        (None, {"fields": ("id", "name", "description", "shown_state", "freeze_reason", "member_count")}),
        ("Rules", {"fields": ("only_admins_write", "slow_mode_seconds", "delivery")}),
        ("Course", {"fields": ("reports", "version", "created_at", "deleted_at")}),
    )
    readonly_fields = ("id", "shown_state", "delivery", "reports", "created_at", "deleted_at")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What the audit log tells of it: there stands what moderators did."""
        return show_in_audit_log(unquote(object_id))

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Who may suspend users may decide about groups."""
        return request.user.has_perm("moderation.suspend_user")

    @display(description="State", label=_STATE_COLOURS)
    def shown_state(self, group: Group) -> str:
        """The state as a coloured label."""
        if group.deleted_at is not None:
            return "Deleted"
        return "Frozen" if group.frozen else "Active"

    @display(description="Delivery", ordering="is_polled")
    def delivery(self, group: Group) -> str:
        """How messages reach members."""
        return "members poll" if group.is_polled else "pushed"

    @display(description="Reports of messages to it")
    def reports(self, group: Group) -> SafeString | str:
        """The newest ones."""
        found = Report.objects.filter(group_id=group.pk).order_by("-created_at").select_related("reported_user")
        shown = [
            (link_to("moderation_report", one.pk, f"{one.reported_user}: {one.reason}"), one.get_state_display())
            for one in found[:REPORTS_SHOWN]
        ]
        return format_html_join(", ", "{} ({})", shown) or "none"

    def get_urls(self) -> list[URLPattern]:
        """The pages of decisions about a member or an invite come before those of groups."""
        about_member: dict[str, Callable[..., HttpResponse]] = {"remove": self.remove}
        about_member |= {f"make-{role}": partial(self.make, role=role) for role in ROLES}
        urls = [
            path(f"<str:object_id>/members/<str:user_id>/{name}/", self.admin_site.admin_view(view))
            for name, view in about_member.items()
        ]
        revoke = self.admin_site.admin_view(self.revoke)
        return [*urls, path("<str:object_id>/invites/<int:number>/revoke/", revoke), *super().get_urls()]

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """No buttons on a deleted group; freeze those that are not, unfreeze those that are."""
        group = Group.objects.filter(pk=object_id, deleted_at=None).first()
        if group is None:
            return []
        hidden = "_freeze" if group.frozen else "_unfreeze"
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's, which has no types
        return [one for one in actions if not one.action_name.endswith(hidden)]

    @action(
        description="Freeze", permissions=["decide"], url_path="freeze", icon="ac_unit", variant=ActionVariant.WARNING
    )
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then let nobody write."""
        return decide(self, request, object_id, FREEZE)

    @action(
        description="Unfreeze", permissions=["decide"], url_path="unfreeze", icon="sunny", variant=ActionVariant.SUCCESS
    )
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then let everybody write again."""
        return decide(self, request, object_id, UNFREEZE)

    @action(description="Delete", permissions=["decide"], url_path="end", icon="delete", variant=ActionVariant.DANGER)
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then end it for everybody."""
        return decide(self, request, object_id, DELETE)

    def remove(self, request: HttpRequest, object_id: str, user_id: str) -> HttpResponse:
        """Ask why, then send a member away."""
        return self._decide_about(request, object_id, user_id, REMOVE, remove_member)

    def make(self, request: HttpRequest, object_id: str, user_id: str, *, role: str) -> HttpResponse:
        """Ask why, then give a member another role."""

        def apply(actor: User, group_id: str, member_id: str, reason: str) -> None:
            give_role(actor, group_id, member_id, role, reason)

        return self._decide_about(request, object_id, user_id, ROLES[role], apply)

    def revoke(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """Ask why, then let nobody join with an invite any more."""

        def apply(actor: User, group_id: str, reason: str) -> None:
            revoke_group_invite(actor, group_id, number, reason)

        self._check_may_decide(request)
        decision = replace(REVOKE, title=f"Revoke invite {number} of this group", apply=apply)
        return decide(self, request, object_id, decision)

    def _decide_about(
        self,
        request: HttpRequest,
        group_id: str,
        user_id: str,
        decision: Decision,
        apply: Callable[[User, str, str, str], None],
    ) -> HttpResponse:
        self._check_may_decide(request)
        members = Member.objects.filter(group_id=group_id, user_id=user_id, to_sequence=None)
        member = members.select_related("user").first()
        if member is None:
            raise Http404

        def apply_to_member(actor: User, object_id: str, reason: str) -> None:
            apply(actor, object_id, user_id, reason)

        title = decision.title.format(user=member.user)
        return decide(self, request, group_id, replace(decision, title=title, apply=apply_to_member))

    def _check_may_decide(self, request: HttpRequest) -> None:
        if not self.has_decide_permission(request):
            raise PermissionDenied
