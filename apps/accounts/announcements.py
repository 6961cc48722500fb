"""What leaves a transaction when it commits: facts, control events, hints for Celery.

By then the change stands, so a failure here must not fail the request: Django logs it (``robust``), and TTLs, the
gateways' own checks and Celery's sweeps make it good.
"""

from collections.abc import Callable, Sequence

from celery import current_app
from django.db import transaction

from apps.accounts.facts import store_facts
from apps.connections import control

FORGET_DEVICE_TASK = "delivery.forget_device"
ERASE_TASK = "delivery.erase"
"""Asked for by name: deliveries stand above accounts in the import order."""


def announce_facts(user_ids: Sequence[str]) -> None:
    """Write the users' facts into Valkey, and make gateways forget what they knew."""
    on_commit(store_facts, list(user_ids))


def announce_devices_revoked(user_id: str, device_ids: Sequence[str], reason: str) -> None:
    """Close the devices' sockets on every gateway; the devices themselves stay."""
    on_commit(control.publish_devices_revoked, user_id, list(device_ids), reason)


def announce_devices_removed(user_id: str, device_ids: Sequence[str]) -> None:
    """Let deliveries stop waiting for these devices."""
    on_commit(_ask_to_forget, user_id, list(device_ids))


def announce_user_revoked(user_id: str, reason: str) -> None:
    """Close all of the user's sockets on every gateway."""
    on_commit(control.publish_user_revoked, user_id, reason)


def announce_settings(user_id: str, except_device_id: str) -> None:
    """Let the user's other devices fetch the settings anew."""
    on_commit(control.publish_settings_changed, user_id, except_device_id)


def announce_erasure() -> None:
    """Let the Message DB forget at once; a sweep does it otherwise."""
    on_commit(current_app.send_task, ERASE_TASK, retry=False)


def _ask_to_forget(user_id: str, device_ids: Sequence[str]) -> None:
    # No retries, and the first failure ends it: nobody should wait for a broker that is down, a sweep finds the rest.
    for device_id in device_ids:
        current_app.send_task(FORGET_DEVICE_TASK, args=[user_id, device_id], retry=False)


def on_commit(announce: Callable[..., object], *arguments: object, **options: object) -> None:
    """Call it with these when the transaction commits; a failure is logged."""

    def run() -> None:
        announce(*arguments, **options)

    # Django names the function in its log line, and would fall over a functools.partial there.
    run.__qualname__ = announce.__qualname__
    transaction.on_commit(run, robust=True)
