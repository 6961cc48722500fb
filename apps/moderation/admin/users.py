"""Users: find, look, suspend, end their sessions. Only superusers change fields; moderators decide."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.forms import UserChangeForm as DjangoUserChangeForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.text import get_text_list
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm
from unfold.forms import UserChangeForm as UnfoldUserChangeForm
from unfold.forms import UserCreationForm as UnfoldUserCreationForm

from apps.accounts.announcements import announce_facts
from apps.accounts.models import Device, Reputation, User
from apps.connections.registry import list_connections
from apps.ingest.message_rates import count_recent_messages
from apps.moderation.admin.audit import show_in_audit_log
from apps.moderation.admin.changes import describe_change
from apps.moderation.admin.decisions import Decision, decide, moderator_of
from apps.moderation.admin.memberships import MembershipsInline
from apps.moderation.admin.read_only import ShownInline
from apps.moderation.audit import record
from apps.moderation.models import WarningNote
from apps.moderation.services import end_sessions, lift_message_limit, lift_suspension, suspend
from apps.valkey.pools import ValkeyError

if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
    _CreationForm = BaseUserCreationForm[User]
    _ChangeForm = DjangoUserChangeForm[User]
else:

    class _UserAdmin(DjangoUserAdmin, ModelAdmin):
        """Django's, dressed by unfold."""

    _CreationForm, _ChangeForm = UnfoldUserCreationForm, UnfoldUserChangeForm

_STATE_COLOURS = {"Active": "success", "Limited": "warning", "Suspended": "danger"}
UNKNOWN = "not known: the cache does not answer"

SUSPEND = Decision(
    title="Suspend this user",
    explanation="All windows and apps of the user close within seconds, and no login works until it is lifted. "
    "Nothing is deleted.",
    reason_label="Reason, which the user reads at the next login",
    button="Suspend",
    done="The user is suspended.",
    apply=suspend,
    dangerous=True,
)
LIFT = Decision(
    title="Let this user in again",
    explanation="The devices that were logged in before work again at once.",
    reason_label="Why it is lifted",
    button="Lift the suspension",
    done="The suspension is lifted.",
    apply=lift_suspension,
)
END_SESSIONS = Decision(
    title="End all sessions of this user",
    explanation="Every device is logged out and every socket closed, on every server, within seconds. "
    "The user may log in again with the password.",
    reason_label="Why",
    button="End all sessions",
    done="All sessions are ended.",
    apply=end_sessions,
    dangerous=True,
)


LIFT_LIMIT = Decision(
    title="Lift this user's message limit",
    explanation="The user may write as everybody at once, and the spam scorer makes no new limit for a while.",
    reason_label="Why it is lifted",
    button="Lift the limit",
    done="The limit is lifted.",
    apply=lift_message_limit,
)


class UserCreationForm(_CreationForm):
    """A new user by name and password."""

    class Meta:
        model = User
        fields = ("username", "display_name")


class UserChangeForm(_ChangeForm):
    """A user's fields. Django's groups are roles of moderators here: other groups are those in which people write."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (roles := self.fields.get("groups")) is not None:
            roles.label, roles.help_text = "Moderator roles", "What the user may do in the admin, with staff status."


class RoleFilter(admin.RelatedFieldListFilter):
    """Those with a role in the admin."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "moderator role"


class DeviceInline(ShownInline):
    """Where the user is logged in: to look at."""

    model = Device
    fields = readonly_fields = ("id", "name", "kind", "created_at", "last_seen_at")
    ordering = ("-last_seen_at",)


class WarningInline(ShownInline):
    """What moderators have told the user."""

    model = WarningNote
    fields = readonly_fields = ("note", "created_at", "report")
    ordering = ("-created_at",)


class LimitedFilter(admin.SimpleListFilter):
    """Those whom the spam scorer has limited."""

    title = "message limit"
    parameter_name = "limited"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """What can be chosen."""
        return (("yes", "limited now"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        """Those that were chosen."""
        return queryset if self.value() is None else queryset.filter(reputation__in=Reputation.objects.limited())


@admin.register(User)
class UserAdmin(_UserAdmin):
    """Search and list of users. Deleting a user is not a row's affair and is not offered here."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "display_name", "shown_state", "role", "date_joined", "id")
    list_filter = ("is_active", LimitedFilter, "is_staff", ("groups", RoleFilter))
    list_select_related = ("reputation",)
    search_fields = ("=id", "username", "display_name")
    search_help_text = "Username, display name, or the whole usr- id"
    ordering = ("-date_joined",)
    readonly_fields = (
        "id",
        "shown_state",
        "suspension_reason",
        "date_joined",
        "last_login",
        "spam",
        "recent_messages",
        "connected_to",
    )
    filter_horizontal = ()  # two lists beside each other are wider than a phone
    fieldsets = (
        (None, {"fields": ("id", "username", "display_name", "shown_state", "suspension_reason")}),
        ("Conduct", {"fields": ("spam", "recent_messages", "connected_to", "date_joined", "last_login")}),
        ("Access", {"fields": ("password", "is_staff", "is_superuser", "groups", "user_permissions")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "display_name", "password1", "password2")}),)
    inlines = (DeviceInline, MembershipsInline, WarningInline)
    actions = None
    actions_detail = ("suspend_account", "lift", "lift_limit", "end_all_sessions")

    def has_suspend_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Who may suspend and lift."""
        return request.user.has_perm("moderation.suspend_user")

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Who may judge what the spam scorer found."""
        return request.user.has_perm("moderation.decide_report")

    def has_end_sessions_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Who may log others out."""
        return request.user.has_perm("moderation.end_sessions")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What the audit log tells of the user: there stands what moderators did."""
        return show_in_audit_log(unquote(object_id))

    @display(description="State", ordering="is_active", label=_STATE_COLOURS)
    def shown_state(self, user: User) -> str:
        """The state as a coloured label."""
        found: Reputation | None = getattr(user, "reputation", None)
        if user.is_active and found is not None and found.is_limited:
            return "Limited"
        return "Active" if user.is_active else "Suspended"

    @display(description="Role", ordering="is_staff")
    def role(self, user: User) -> str:
        """Who may open the admin."""
        return "superuser" if user.is_superuser else "staff" if user.is_staff else ""

    @display(description="Spam")
    def spam(self, user: User) -> str:
        """What the spam scorer found, and what follows from it now."""
        return _describe_spam(Reputation.objects.filter(pk=user.pk).first())

    @display(description="Messages in the last minute")
    def recent_messages(self, user: User) -> str:
        """How many were accepted."""
        try:
            return str(count_recent_messages(user.pk))
        except ValkeyError:
            return UNKNOWN

    @display(description="Connected")
    def connected_to(self, user: User) -> str:
        """Devices that have a connection now."""
        try:
            connections = list_connections([user.pk])
        except ValkeyError:
            return UNKNOWN
        return get_text_list([f"{one.device_id} at {one.server_id}" for one in connections], "and") or "no device"

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Passwords and rights are shown to those who may change them only."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [(name, options) for name, options in fieldsets if name != "Access"]

    def get_inlines(self, request: HttpRequest, obj: User | None = None) -> Any:
        """A user who is only being made has no devices."""
        return self.inlines if obj is not None else ()

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Suspend those who are not, lift for those who are, and lift a limit where there is one."""
        suspended = User.objects.filter(pk=object_id, is_active=False).exists()
        limited = Reputation.objects.limited().filter(pk=object_id).exists()
        hidden = ("_suspend_account" if suspended else "_lift", *(() if limited else ("_lift_limit",)))
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's, which has no types
        return [one for one in actions if not one.action_name.endswith(hidden)]

    @action(
        description="Suspend",
        permissions=["suspend"],
        url_path="suspend",
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def suspend_account(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then suspend."""
        return decide(self, request, object_id, SUSPEND)

    @action(
        description="Lift suspension",
        permissions=["suspend"],
        url_path="lift",
        icon="lock_open",
        variant=ActionVariant.SUCCESS,
    )
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then let in again."""
        return decide(self, request, object_id, LIFT)

    @action(description="Lift message limit", permissions=["decide"], url_path="lift-limit", icon="speed")
    def lift_limit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then let write as everybody."""
        return decide(self, request, object_id, LIFT_LIMIT)

    @action(description="End all sessions", permissions=["end_sessions"], url_path="end-sessions", icon="logout")
    def end_all_sessions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then log out everywhere."""
        return decide(self, request, object_id, END_SESSIONS)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Never: messages, devices and caches of a user have to go with the row."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save, and tell the chat servers about a new user."""
        super().save_model(request, obj, form, change)
        announce_facts([obj.pk])

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set it together with its audit entry."""
        return super().user_change_password(request, id, form_url)

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Note it in the audit log too."""
        record(moderator_of(request), "add user", obj.pk)
        return super().log_addition(request, obj, message)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What was changed, in words: rights with what they were and are."""
        return describe_change(form)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Note it in the audit log too, with what was changed."""
        record(moderator_of(request), "change user", obj.pk, message)
        return super().log_change(request, obj, message)


def _describe_spam(found: Reputation | None) -> str:
    """In words: the limit, what it was made for, and how often."""
    if found is None or not found.times_limited:
        return "nothing was found"
    now, times = timezone.now(), "once" if found.times_limited == 1 else f"{found.times_limited} times"
    if found.is_limited:
        stands = f"at most {found.messages_per_minute} messages a minute until {found.limited_until:%Y-%m-%d %H:%M} UTC"
    elif found.spared_until is not None and found.spared_until > now:
        stands = f"not limited; a moderator lifted it, and spared until {found.spared_until:%Y-%m-%d %H:%M} UTC"
    else:
        stands = "not limited now"
    return f"{stands}; limited {times}, the last time for: {found.reason}"
