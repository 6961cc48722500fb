"""Every code with which a call may be refused: its status, and what it means. The OpenAPI page is made of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """``text`` is for the OpenAPI page; an answer's own message says more where there is more to say."""

    status: int
    text: str


REFUSALS = {
    "invalid": Refusal(status=400, text="The body or the query is wrong; `fields` says where."),
    "invalid_json": Refusal(status=400, text="The body is not a JSON object."),
    "bad_request": Refusal(status=400, text="The request is malformed, or its Host is not a name of this site."),
    "not_authenticated": Refusal(status=401, text="There is no credential, or it is not valid (any more)."),
    "invalid_credentials": Refusal(status=401, text="Username and password do not match."),
    "suspended": Refusal(status=403, text="The account is suspended."),
    "address_banned": Refusal(status=403, text="The address is banned."),
    "forbidden": Refusal(
        status=403,
        text="Your role in the group does not allow it, somebody named does not want it of you, or a change by session "
        "cookie came without the CSRF token.",
    ),
    "not_a_member": Refusal(status=403, text="You are not a member of the group any more."),
    "frozen": Refusal(status=403, text="Moderators have frozen the group."),
    "history_off": Refusal(status=403, text="You keep no history; the settings switch it on."),
    "not_found": Refusal(status=404, text="There is no such thing, or it is somebody else's."),
    "invite_invalid": Refusal(status=404, text="The invite does not exist, has run out or was revoked."),
    "not_acceptable": Refusal(status=406, text="Only JSON is answered."),
    "timeout": Refusal(status=408, text="The body took too long to come."),
    "too_many_contacts": Refusal(status=409, text="There are as many contacts as anybody may have."),
    "too_many_blocks": Refusal(status=409, text="There are as many blocks as anybody may have."),
    "too_many_devices": Refusal(status=409, text="There are as many devices as anybody may have; remove one."),
    "too_many_groups": Refusal(status=409, text="You are in as many groups as anybody may be."),
    "too_many_invites": Refusal(status=409, text="The group has as many invites as it may have; revoke one."),
    "conflict": Refusal(status=409, text="That is so already."),
    "group_full": Refusal(status=409, text="The group has as many members as it may have."),
    "owner_must_hand_over": Refusal(status=409, text="You own the group: hand it over first, or delete it."),
    "length_required": Refusal(status=411, text="The body came in chunks: send it with its Content-Length."),
    "content_too_long": Refusal(status=413, text="The body is longer than 64 KiB."),
    "unsupported_media_type": Refusal(status=415, text="The body is not `application/json`."),
    "throttled": Refusal(status=429, text="Too often; `Retry-After` says when to come back."),
    "internal": Refusal(status=500, text="A fault of the site's."),
    "unavailable": Refusal(status=503, text="A server behind this one does not answer; try again after `Retry-After`."),
    "overloaded": Refusal(status=503, text="Too many requests wait; try again after `Retry-After`."),
}
