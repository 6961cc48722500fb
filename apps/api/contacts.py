"""/api/contacts and /api/blocks: two lists of people, handled alike."""

from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Block, Contact
from apps.accounts.selectors import list_blocked, list_contacts
from apps.accounts.services import add_contact, block_user, remove_contact, unblock_user
from apps.api.answers import RelationAnswer, page_of
from apps.api.base import ApiView, PolledApiView, read_body, user_of
from apps.api.documentation import CURSOR, answers
from apps.api.fields import TextField
from apps.api.pagination import page_response, read_number_cursor
from apps.api.representations import build_relation

PAGE_SIZE = 100


_PEOPLE = page_of(RelationAnswer)
_ADDED = {200: RelationAnswer, 201: RelationAnswer}


class PersonBody(serializers.Serializer[Any]):
    user_id = TextField()


class ContactsView(PolledApiView):
    """GET and POST /api/contacts"""

    @answers({200: _PEOPLE}, query=[CURSOR], summary="The contact list")
    def get(self, request: Request) -> Response:
        """The asking user's contacts, in the order they were added."""
        rows = list_contacts(user_of(request).pk, after=read_number_cursor(request), limit=PAGE_SIZE + 1)
        return page_response(rows, size=PAGE_SIZE, key=_row_number, build=build_relation)

    @answers(_ADDED, body=PersonBody, refusals=["not_found", "too_many_contacts"], summary="Add a contact")
    def post(self, request: Request) -> Response:
        """Add somebody; 200 for one who is on the list already."""
        return _relation_response(*add_contact(user_of(request).pk, read_body(request, PersonBody)["user_id"]))


class ContactView(ApiView):
    """DELETE /api/contacts/{user_id}"""

    @answers({204: None}, summary="Remove a contact")
    def delete(self, request: Request, user_id: str) -> Response:
        """Take somebody off the list."""
        remove_contact(user_of(request).pk, user_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class BlocksView(PolledApiView):
    """GET and POST /api/blocks"""

    @answers({200: _PEOPLE}, query=[CURSOR], summary="The block list")
    def get(self, request: Request) -> Response:
        """Whom the asking user has blocked, in that order."""
        rows = list_blocked(user_of(request).pk, after=read_number_cursor(request), limit=PAGE_SIZE + 1)
        return page_response(rows, size=PAGE_SIZE, key=_row_number, build=build_relation)

    @answers(_ADDED, body=PersonBody, refusals=["not_found", "too_many_blocks"], summary="Block somebody")
    def post(self, request: Request) -> Response:
        """Block somebody; 200 for one who is blocked already."""
        return _relation_response(*block_user(user_of(request).pk, read_body(request, PersonBody)["user_id"]))


class BlockView(ApiView):
    """DELETE /api/blocks/{user_id}"""

    @answers({204: None}, summary="Unblock somebody")
    def delete(self, request: Request, user_id: str) -> Response:
        """Take messages from somebody again."""
        unblock_user(user_of(request).pk, user_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _row_number(row: Contact | Block) -> int:
    return row.pk


def _relation_response(row: Contact | Block, created: bool) -> Response:
    return Response(build_relation(row), status=status.HTTP_201_CREATED if created else status.HTTP_200_OK)
