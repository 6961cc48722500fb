"""Writing the audit log."""

from apps.accounts.models import User
from apps.moderation.models import AuditEntry


def record(actor: User, action: str, target: str, reason: str = "") -> None:
    """Add an entry. To be called inside the transaction of what it tells of, so that neither stands without the other.

    ``target`` is the id of a user or report, or an address range.
    """
    AuditEntry.objects.create(actor_id=actor.pk, actor_name=actor.username, action=action, target=target, reason=reason)
