"""Bodies and answers as they look, for the OpenAPI page: name of the schema → example."""

from typing import Any

ADA, BOB = "usr-0a1b2c3d4e5f", "usr-9f8e7d6c5b4a"
PROFILE = {"user_id": BOB, "username": "bob", "display_name": "Bob", "avatar_color": "#0b6e5f"}
AT = 1_764_288_000_000
MESSAGE = {
    "message_id": "msg-0d7c3a5e10400001",
    "sender_id": BOB,
    "receiver_id": ADA,
    "content": "See you at eight?",
    "timestamp": AT,
    "sequence": 1_099_511_627_781,
    "delivered": True,
}
PRESENCE = {"user_id": BOB, "online": False, "last_seen": AT}
DEVICE = {
    "device_id": "dev-1122334455aa",
    "name": "Ada's phone",
    "kind": "token",
    "created_at": AT,
    "last_seen_at": AT,
    "current": True,
}
SETTINGS = {"history_days": 90, "show_last_seen": True, "read_receipts": True}
CONVERSATION = {"participant_id": BOB, "last_message": MESSAGE, "unread_count": 2}
REPORT = {
    "report_id": "rep-5f4e3d2c1b0a",
    "user_id": None,
    "message_id": MESSAGE["message_id"],
    "reason": "Threatens me",
    "state": "open",
    "created_at": AT,
    "closed_at": None,
}
GROUP = {
    "group_id": "grp-6c5b4a392817",
    "name": "Chess club",
    "description": "Mondays at eight",
    "picture": "",
    "version": 4,
    "member_count": 2,
    "only_admins_write": False,
    "slow_mode_seconds": 0,
    "frozen": False,
    "freeze_reason": "",
    "delivery": "push",
    "created_at": AT,
    "role": "owner",
    "muted_until": None,
}
MEMBER = PROFILE | {"role": "member"}
OWNER = {"user_id": ADA, "username": "ada", "display_name": "Ada", "avatar_color": "#8b2fc9", "role": "owner"}
INVITE = {"number": 7, "created_by": ADA, "created_at": AT, "expires_at": AT + 604_800_000}
PREVIEW_FIELDS = ("group_id", "name", "picture", "member_count")
RELATION = PROFILE | {"created_at": AT}


def _page(*items: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"results": list(items), "next": cursor}


EXAMPLES: dict[str, dict[str, Any]] = {
    "RegisterBody": {"username": "ada", "password": "correct horse battery", "display_name": "Ada"},
    "LoginBody": {"username": "ada", "password": "correct horse battery", "device_name": "Ada's phone"},
    "PasswordBody": {"old_password": "correct horse battery", "new_password": "staple battery horse"},
    "PersonBody": {"user_id": BOB},
    "ProfileBody": {"display_name": "Ada Lovelace"},
    "SettingsBody": {"history_days": 90},
    "UsersBody": {"user_ids": [BOB]},
    "ReportBody": {
        "message_id": MESSAGE["message_id"],
        "reason": "Threatens me",
        "content": "I know where you live",
    },
    "NewGroupBody": {"name": "Chess club", "members": [BOB]},
    "GroupBody": {"name": "Chess and go", "slow_mode_seconds": 10},
    "PeopleBody": {"user_ids": [BOB]},
    "RoleBody": {"role": "admin"},
    "InviteBody": {"expires_in": 604_800},
    "MuteBody": {"until_ms": AT + 28_800_000},
    "CredentialAnswer": {"token": "kT3…", "user_id": ADA, "device_id": DEVICE["device_id"]},
    "TicketAnswer": {"ticket": "Zx9…", "expires_in": 30},
    "ProfileAnswer": PROFILE,
    "MeAnswer": PROFILE | {"user_id": ADA, "device_id": DEVICE["device_id"], "date_joined": AT},
    "RelationAnswer": RELATION,
    "SettingsAnswer": SETTINGS,
    "PresenceAnswer": PRESENCE,
    "DeliveryAnswer": {"delivered": 1, "members": 1},
    "ReportAnswer": REPORT,
    "OpenGroupAnswer": GROUP | {"members": [OWNER, MEMBER]},
    "PendingAnswer": {"group_id": GROUP["group_id"], "event_id": "evt-0a1b2c3d4e5f6071"},
    "MemberAnswer": MEMBER,
    "NewInviteAnswer": INVITE | {"token": "q7R…", "invite_url": "https://chat.example/join/#q7R…"},
    "PreviewAnswer": {name: GROUP[name] for name in PREVIEW_FIELDS} | {"expires_at": INVITE["expires_at"]},
    "MuteAnswer": {"muted_until": AT + 28_800_000},
    "ProfilePageAnswer": _page(PROFILE),
    "RelationPageAnswer": _page(RELATION),
    "PresencePageAnswer": _page(PRESENCE),
    "DevicePageAnswer": _page(DEVICE),
    "ReportPageAnswer": _page(REPORT),
    "WarningPageAnswer": _page({"note": "Please stop advertising.", "created_at": AT}),
    "GroupPageAnswer": _page(GROUP),
    "MemberPageAnswer": _page(OWNER, MEMBER),
    "InvitePageAnswer": _page(INVITE),
    "MessagePageAnswer": _page(MESSAGE, cursor="MTA5OTUxMTYyNzc4MQ=="),
    "ConversationPageAnswer": _page(CONVERSATION),
}
