"""Writing the audit log."""

import getpass
import os
from dataclasses import dataclass, field

from apps.accounts.models import User
from apps.moderation.models import ACTOR_NAME_MAX_LENGTH, AuditEntry


def _name_operator() -> str:
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for it
        login = f"uid {os.getuid()}"
    return f"manage.py ({login})"[:ACTOR_NAME_MAX_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Whoever runs ``manage.py``: no user of the site, known by the name that the operating system has for them. Nobody
    can keep them from anything.
    """

    pk: str = ""
    username: str = field(default_factory=_name_operator)
    is_superuser: bool = True


Actor = User | Operator


def record(actor: Actor, action: str, target: str, reason: str = "") -> None:
    """Add an entry. To be called inside the transaction of what it tells of, so that neither stands without the other.

    ``target`` is the id of a user or report, or an address range.
    """
    AuditEntry.objects.create(actor_id=actor.pk, actor_name=actor.username, action=action, target=target, reason=reason)
