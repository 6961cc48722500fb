"""The addresses under /api/. They end without a slash."""

from django.urls import path, re_path, register_converter
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from apps.api.auth import LoginView, LogoutView, PasswordView, RegisterView, TicketView
from apps.api.chat import ChatView
from apps.api.contacts import BlocksView, BlockView, ContactsView, ContactView
from apps.api.converters import (
    DeviceIdConverter,
    GroupIdConverter,
    MessageIdConverter,
    ParticipantIdConverter,
    SecretConverter,
    UserIdConverter,
)
from apps.api.deliveries import DeliveryView
from apps.api.devices import DevicesView, DeviceView
from apps.api.fallbacks import UnknownPathView
from apps.api.group_members import MembersView, MemberView
from apps.api.groups import GroupsView, GroupView
from apps.api.history import ConversationsView, HistoryView
from apps.api.invites import GroupInvitesView, GroupInviteView, InviteView
from apps.api.mutes import MuteView
from apps.api.profiles import MeView, ProfileView, UserSearchView
from apps.api.reports import ReportsView, WarningsView
from apps.api.settings import SettingsView
from apps.api.status import StatusOfManyView, StatusView

register_converter(UserIdConverter, "user_id")
register_converter(DeviceIdConverter, "device_id")
register_converter(MessageIdConverter, "message_id")
register_converter(GroupIdConverter, "group_id")
register_converter(ParticipantIdConverter, "participant_id")
register_converter(SecretConverter, "secret")

app_name = "api"
urlpatterns = [
    path("auth/register", RegisterView.as_view(), name="register"),
    path("auth/login", LoginView.as_view(), name="login"),
    path("auth/logout", LogoutView.as_view(), name="logout"),
    path("auth/ticket", TicketView.as_view(), name="ticket"),
    path("auth/password", PasswordView.as_view(), name="password"),
    path("user/me", MeView.as_view(), name="me"),
    path("user/settings", SettingsView.as_view(), name="settings"),
    path("user/status", StatusOfManyView.as_view(), name="status-of-many"),
    path("user/<user_id:user_id>/status", StatusView.as_view(), name="status"),
    path("user/<user_id:user_id>", ProfileView.as_view(), name="profile"),
    path("users", UserSearchView.as_view(), name="user-search"),
    path("history/<participant_id:participant_id>", HistoryView.as_view(), name="history"),
    path("message/<message_id:message_id>/delivery", DeliveryView.as_view(), name="delivery"),
    path("conversations", ConversationsView.as_view(), name="conversations"),
    path("chat/<group_id:group_id>", ChatView.as_view(), name="chat"),
    path("groups", GroupsView.as_view(), name="groups"),
    path("groups/<group_id:group_id>", GroupView.as_view(), name="group"),
    path("groups/<group_id:group_id>/members", MembersView.as_view(), name="group-members"),
    path("groups/<group_id:group_id>/members/<user_id:user_id>", MemberView.as_view(), name="group-member"),
    path("groups/<group_id:group_id>/invite", GroupInvitesView.as_view(), name="group-invites"),
    path("groups/<group_id:group_id>/invite/<int:number>", GroupInviteView.as_view(), name="group-invite"),
    path("groups/<group_id:group_id>/mute", MuteView.as_view(), name="group-mute"),
    path("invite/<secret:token>", InviteView.as_view(), name="invite"),
    path("contacts", ContactsView.as_view(), name="contacts"),
    path("contacts/<user_id:user_id>", ContactView.as_view(), name="contact"),
    path("blocks", BlocksView.as_view(), name="blocks"),
    path("blocks/<user_id:user_id>", BlockView.as_view(), name="block"),
    path("devices", DevicesView.as_view(), name="devices"),
    path("devices/<device_id:device_id>", DeviceView.as_view(), name="device"),
    path("schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
    path("reports", ReportsView.as_view(), name="reports"),
    path("warnings", WarningsView.as_view(), name="warnings"),
    re_path(r"^", UnknownPathView.as_view(), name="unknown"),
]
