"""The people of a plan in the users' database, and what they do there by REST: with the product's own services."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import timezone

from apps.accounts.credentials import hash_secret
from apps.accounts.errors import NotFoundError
from apps.accounts.models import Device as DeviceRow
from apps.accounts.models import User, UserSettings
from apps.accounts.services.devices import revoke_device
from apps.accounts.services.relations import block_user, unblock_user
from apps.accounts.services.settings import update_settings
from apps.groups.errors import ChangePending, ChangeRefused
from apps.groups.kinds import Kind
from apps.groups.services.submission import submit_change
from apps.messagelog.base import LogUnavailable
from tests.simulation.plan import Device, Plan
from tests.simulation.processes import Process
from tests.simulation.virtual_time import run_blocking

DAYS_OF_HISTORY = 90


class People:
    """What REST answers for; each request has a process of its own, which may die of it."""

    async def sign_up(self, plan: Plan) -> None:
        """Make the people of a plan, before anything happens."""
        await self._do(lambda: make_people(plan))

    async def log_in(self, device: Device) -> None:
        """One more device. Raises OSError."""
        await self._do(lambda: add_device(device))

    async def log_out(self, device: Device) -> None:
        """One device less. Raises OSError."""
        await self._do(lambda: revoke_device(device.user_id, device.device_id, "logged_out"))

    async def block(self, user_id: str, peer_id: str) -> None:
        """Raises OSError."""
        await self._do(lambda: block_user(user_id, peer_id))

    async def unblock(self, user_id: str, peer_id: str) -> None:
        """Raises OSError."""
        await self._do(lambda: unblock_user(user_id, peer_id))

    async def keep_history(self, user_id: str, days: int) -> None:
        """Raises OSError."""
        await self._do(lambda: update_settings(user_id, device_id="", history_days=days))

    async def change_group(
        self,
        kind: Kind,
        group_id: str,
        *,
        by: str,
        user_ids: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises OSError."""
        await self._do(lambda: change_group(kind, group_id, by=by, user_ids=user_ids, details=details))

    async def _do(self, work: Callable[[], object]) -> None:
        process = Process("web")
        died = asyncio.get_running_loop().create_future()
        process.on_death(lambda: died.set_result(None))
        request = process.start(run_blocking(lambda: answer(work)))
        await asyncio.wait([request, died], return_when=asyncio.FIRST_COMPLETED)
        if died.done():
            raise ConnectionResetError("the web server died")
        died.cancel()
        await request


def answer(work: Callable[[], object]) -> None:
    """Do it as a request. Raises OSError where a server is down, which is HTTP 503."""
    from django.db import close_old_connections

    try:
        work()
    except (NotFoundError, ChangeRefused, ChangePending):
        return  # done by the try before, whose answer was lost; or it stands on the log and comes later
    except (DatabaseError, redis.RedisError, LogUnavailable) as error:
        raise ConnectionError(str(error)) from error
    finally:
        close_old_connections()


def change_group(
    kind: Kind, group_id: str, *, by: str, user_ids: Sequence[str], details: Mapping[str, Any] | None
) -> None:
    """A change of the group."""
    submit_change(kind, group_id, by=by, user_ids=user_ids, details=details)


def make_people(plan: Plan) -> None:
    """Users, their devices and their settings."""
    now = timezone.now()
    with transaction.atomic():
        User.objects.bulk_create(
            User(id=one.user_id, username=one.user_id, display_name=one.user_id, password="!", date_joined=now)
            for one in plan.people
        )
        UserSettings.objects.bulk_create(
            UserSettings(user_id=one.user_id, history_days=DAYS_OF_HISTORY if one.keeps_history else 0)
            for one in plan.people
        )
        DeviceRow.objects.bulk_create(to_row(device) for one in plan.people for device in one.devices)


def add_device(device: Device) -> None:
    """A device logs in; a second try of the same one changes nothing."""
    with transaction.atomic():
        if not DeviceRow.objects.filter(pk=device.device_id).exists():
            to_row(device).save(force_insert=True)


def to_row(device: Device) -> DeviceRow:
    """A device whose token is its own id."""
    now = timezone.now()
    return DeviceRow(
        id=device.device_id,
        user_id=device.user_id,
        name=device.device_id,
        kind=DeviceRow.Kind.TOKEN,
        credential_hash=hash_secret(device.device_id),
        created_at=now,
        last_seen_at=now,
    )
