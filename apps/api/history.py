"""/api/history/{participant_id} and /api/conversations: what the asking user keeps, and nobody else's."""

import time
from dataclasses import replace
from operator import itemgetter
from typing import Any

import orjson
from drf_spectacular.utils import OpenApiParameter
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.errors import InvalidInputError, NotFoundError
from apps.accounts.selectors import get_settings, get_user, history_erased_until
from apps.api.answers import ConversationAnswer, MessageAnswer, page_of
from apps.api.base import ApiView, PolledApiView, user_of
from apps.api.documentation import CURSOR, answers
from apps.api.pagination import page_response, read_cursor, read_key_number, read_number_cursor, to_number
from apps.delivery.frames import build_incoming
from apps.groups.selectors import list_group_ids, list_spells_of
from apps.messagestore.base import Body
from apps.messagestore.history import NEWEST, Conversation, Window
from apps.messagestore.store import get_message_store
from apps.protocol.ids import conversation_id, is_group_id

PAGE_SIZE = 100
DEFAULT_LIMIT = 50
_FROM = OpenApiParameter("last_timestamp", int, description="Begin with the last message of this time (ms) or before.")
_LIMIT = OpenApiParameter(
    "limit",
    int,
    description=f"Messages a page, from 1; {DEFAULT_LIMIT} by default, more than {PAGE_SIZE} are never given.",
)


class HistoryOff(APIException):
    """The asking user keeps no history."""

    status_code = status.HTTP_403_FORBIDDEN
    default_code = "history_off"
    default_detail = "You keep no history. It can be switched on in the settings, for messages from then on."


class HistoryView(ApiView):
    """GET /api/history/{participant_id}"""

    @answers(
        {200: page_of(MessageAnswer)},
        query=[_FROM, _LIMIT, CURSOR],
        refusals=["history_off"],
        summary="A conversation's history",
    )
    def get(self, request: Request, participant_id: str) -> Response:
        """Messages with somebody or in a group, newest first, from ``last_timestamp`` back; ``limit`` is 100 at most.

        Of a group one gets what came while one was a member, and keeps it afterwards. What was written while a group
        was too large to push to is kept for all of its members, whatever they chose.
        """
        user_id = user_of(request).pk
        keeps = get_settings(user_id).history_days > 0
        if not keeps and not is_group_id(participant_id):
            raise HistoryOff
        limit = min(read_number(request, "limit", default=DEFAULT_LIMIT, lowest=1), PAGE_SIZE)
        until_ms = read_number(request, "last_timestamp", default=NEWEST, lowest=0)
        window = _window(user_id, limit=limit + 1, until_ms=until_ms)
        below = read_number_cursor(request) or NEWEST
        if is_group_id(participant_id):
            rows = _list_group_messages(participant_id, window, below, keeps=keeps)
        else:
            rows = _list_messages(user_id, participant_id, window, below)
        return page_response(rows, size=limit, key=itemgetter("sequence"), build=dict)


class ConversationsView(PolledApiView):
    """GET /api/conversations"""

    @answers({200: page_of(ConversationAnswer)}, query=[CURSOR], summary="The conversations")
    def get(self, request: Request) -> Response:
        """Conversations of which the asking user keeps history, by their last message, newest first."""
        user_id = user_of(request).pk
        if get_settings(user_id).history_days == 0:
            return Response({"results": [], "next": None})
        window = replace(_window(user_id, limit=PAGE_SIZE + 1), group_ids=tuple(list_group_ids(user_id)))
        rows = get_message_store().history.list_conversations(window, _read_conversation_cursor(request))
        return page_response(rows, size=PAGE_SIZE, key=_conversation_key, build=lambda row: _build(row, user_id))


def build_message(body: Body, *, polled: bool = False) -> dict[str, Any]:
    """The fields of ``incoming_message``, with ``receiver_id``, which is null where a group is it; ``delivered``: a
    device of theirs confirmed it, or one of every member. Nobody confirms what is ``polled``: nothing is said of it.
    """
    fields: dict[str, Any] = orjson.loads(build_incoming(body, for_sender=True))
    del fields["action"]
    return {"receiver_id": None} | fields | ({} if polled else {"delivered": body.delivered})


def _list_messages(user_id: str, participant_id: str, window: Window, below: int) -> list[dict[str, Any]]:
    if participant_id == user_id:
        raise NotFoundError("conversation")
    get_user(participant_id)
    rows = get_message_store().history.list_messages(conversation_id(user_id, participant_id), window, below)
    return [build_message(row) for row in rows]


def _list_group_messages(group_id: str, window: Window, below: int, *, keeps: bool) -> list[dict[str, Any]]:
    """What the user was there for. Raises NotFoundError, and HistoryOff where nothing is kept for them."""
    pair = (group_id, window.keeper_id)
    spells = sorted(list_spells_of([pair]).get(pair, ()), key=lambda spell: spell.from_sequence, reverse=True)
    if not spells:
        raise NotFoundError("conversation")
    found: list[dict[str, Any]] = []
    for spell in spells:
        until = below if spell.to_sequence is None else min(below, spell.to_sequence)
        rest = replace(window, limit=window.limit - len(found))
        if rest.limit and until > spell.from_sequence:
            rows = _list_kept_in_group(group_id, rest, until, keeps=keeps)
            found += [row for row in rows if spell.covers(row["sequence"])]
    if not found and not keeps:
        raise HistoryOff
    return found


def _list_kept_in_group(group_id: str, window: Window, below: int, *, keeps: bool) -> list[dict[str, Any]]:
    """What the user keeps, and what is kept for all members under the group's own id; the newest first."""
    history = get_message_store().history
    of_all = history.list_messages(group_id, replace(window, keeper_id=group_id, after_ms=0), below)
    own = history.list_messages(group_id, window, below) if keeps else []
    rows = [build_message(row, polled=True) for row in of_all] + [build_message(row) for row in own]
    return sorted(rows, key=itemgetter("sequence"), reverse=True)[: window.limit]


def _build(row: Conversation, user_id: str) -> dict[str, Any]:
    last = row.last
    return {
        "participant_id": last.group_id or (last.receiver_id if last.sender_id == user_id else last.sender_id),
        "last_message": build_message(row.last),
        "unread_count": row.unread,
    }


def _window(user_id: str, *, limit: int, until_ms: int = NEWEST) -> Window:
    return Window(
        keeper_id=user_id,
        now_ms=int(time.time() * 1000),
        limit=limit,
        after_ms=history_erased_until(user_id),
        until_ms=until_ms,
    )


def read_number(request: Request, name: str, *, default: int, lowest: int) -> int:
    """A number of the query. Raises InvalidInputError."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    number = to_number(text)
    if number is None or number < lowest:
        raise InvalidInputError({name: [f"Give a whole number from {lowest} up."]})
    return number


def _conversation_key(row: Conversation) -> str:
    return f"{row.at_ms} {row.last.conversation_id}"


def _read_conversation_cursor(request: Request) -> tuple[int, str]:
    key = read_cursor(request)
    if not key:
        return NEWEST, ""
    at_ms, _, last_id = key.partition(" ")
    return read_key_number(at_ms), last_id
