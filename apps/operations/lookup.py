"""Finds what an operator names on a command line."""

from django.core.management import CommandError

from apps.accounts.models import User
from apps.protocol.ids import is_user_id


def find_named_user(name: str) -> User:
    """Return the user with this ``usr-`` id or username, in any case; raises CommandError where there is none."""
    found = User.objects.filter(pk=name).first() if is_user_id(name) else None
    found = found or User.objects.filter(username__iexact=name).first()
    if found is None:
        raise CommandError(f"there is no user {name!r}")
    return found
