"""Contacts and blocks: what one user notes about another."""

from django.db import transaction

from apps.accounts.announcements import announce_facts
from apps.accounts.errors import InvalidInputError, LimitReachedError, NotFoundError
from apps.accounts.models import Block, Contact, User
from apps.accounts.selectors import get_user

MAX_CONTACTS = 5_000
MAX_BLOCKS = 1_000
"""The chat server holds a user's blocks in memory while the user writes."""


@transaction.atomic
def add_contact(owner_id: str, person_id: str) -> tuple[Contact, bool]:
    """The contact, and whether it is new. Raises NotFoundError, InvalidInputError for oneself, LimitReachedError."""
    person = _check_other(owner_id, person_id)
    if contact := Contact.objects.filter(owner_id=owner_id, person=person).first():
        return contact, False
    if Contact.objects.filter(owner_id=owner_id).count() >= MAX_CONTACTS:
        raise LimitReachedError("contacts", MAX_CONTACTS)
    return Contact.objects.get_or_create(owner_id=owner_id, person=person)


def remove_contact(owner_id: str, person_id: str) -> None:
    """Take somebody off the contact list. Raises NotFoundError for one who is not on it."""
    deleted, _ = Contact.objects.filter(owner_id=owner_id, person_id=person_id).delete()
    if not deleted:
        raise NotFoundError("contact")


@transaction.atomic
def block_user(owner_id: str, person_id: str) -> tuple[Block, bool]:
    """The block, and whether it is new. Raises NotFoundError, InvalidInputError for oneself, LimitReachedError."""
    person = _check_other(owner_id, person_id)
    if block := Block.objects.filter(owner_id=owner_id, person=person).first():
        return block, False
    if Block.objects.filter(owner_id=owner_id).count() >= MAX_BLOCKS:
        raise LimitReachedError("blocks", MAX_BLOCKS)
    block, created = Block.objects.get_or_create(owner_id=owner_id, person=person)
    announce_facts([owner_id])
    return block, created


@transaction.atomic
def unblock_user(owner_id: str, person_id: str) -> None:
    """Take messages from somebody again. Raises NotFoundError for one who is not blocked."""
    deleted, _ = Block.objects.filter(owner_id=owner_id, person_id=person_id).delete()
    if not deleted:
        raise NotFoundError("block")
    announce_facts([owner_id])


def _check_other(owner_id: str, person_id: str) -> User:
    if owner_id == person_id:
        raise InvalidInputError({"user_id": ["That is you."]})
    return get_user(person_id)
