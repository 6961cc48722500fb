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
    "CredentialAnswer": {"token": "kT3…", "user_id": ADA, "device_id": DEVICE["device_id"]},
    "TicketAnswer": {"ticket": "Zx9…", "expires_in": 30},
    "ProfileAnswer": PROFILE,
    "MeAnswer": PROFILE | {"user_id": ADA, "device_id": DEVICE["device_id"], "date_joined": AT},
    "RelationAnswer": RELATION,
    "SettingsAnswer": SETTINGS,
    "PresenceAnswer": PRESENCE,
    "DeliveryAnswer": {"delivered": 1, "members": 1},
    "ReportAnswer": REPORT,
    "ProfilePageAnswer": _page(PROFILE),
    "RelationPageAnswer": _page(RELATION),
    "PresencePageAnswer": _page(PRESENCE),
    "DevicePageAnswer": _page(DEVICE),
    "ReportPageAnswer": _page(REPORT),
    "WarningPageAnswer": _page({"note": "Please stop advertising.", "created_at": AT}),
    "MessagePageAnswer": _page(MESSAGE, cursor="MTA5OTUxMTYyNzc4MQ=="),
    "ConversationPageAnswer": _page(CONVERSATION),
}
