"""Credentials: one mechanism for tokens and browser sessions.

Every device has a secret (its token, or its Django session key), of which the database holds the SHA-256 only.
The secrets are 128 random bits or more, so a fast hash without salt is enough, and it can be looked up by index.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import Device
from apps.valkey.sync_keyspace import sync_keyspace

TICKET_KEY = "ticket:{digest}"
"""STRING credential hash of the asking device, EX 30: a one-time ticket for opening a socket; taken with GETDEL."""

TICKET_TTL_SECONDS = 30
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """Whose credential it is."""

    user_id: str
    device_id: str
    username: str
    suspended: bool
    credential_hash: str
    last_seen_at: datetime = field(compare=False)


def new_secret() -> str:
    """A fresh token: 256 random bits, safe in a header and a URL."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """The SHA-256 of a secret in hex: what the database and Valkey hold of it."""
    return sha256(secret.encode()).hexdigest()


def live_credentials() -> Q:
    """The condition on Device that its credential has not run out."""
    return Q(expires_at=None) | Q(expires_at__gt=timezone.now())


def find_identity(credential_hash: str) -> DeviceIdentity | None:
    """The device of a credential, in one query; None for an unknown, removed or expired one."""
    return find_identities([credential_hash]).get(credential_hash)


def find_identities(credential_hashes: Sequence[str]) -> dict[str, DeviceIdentity]:
    """The devices of these credentials, in one query; without those that are unknown, removed or expired."""
    rows = Device.objects.filter(live_credentials(), credential_hash__in=credential_hashes).values_list(
        "user_id", "id", "user__username", "user__is_active", "credential_hash", "last_seen_at"
    )
    return {
        credential_hash: DeviceIdentity(
            user_id=user_id,
            device_id=device_id,
            username=username,
            suspended=not is_active,
            credential_hash=credential_hash,
            last_seen_at=last_seen_at,
        )
        for user_id, device_id, username, is_active, credential_hash, last_seen_at in rows
    }


def issue_ticket(credential_hash: str) -> str:
    """A ticket that opens one socket within 30 s, for as long as this credential is good. Raises ValkeyError."""
    ticket = new_secret()
    key = TICKET_KEY.format(digest=hash_secret(ticket))
    sync_keyspace(settings.INBOX_REDIS_URL).execute("SET", key, credential_hash, "EX", TICKET_TTL_SECONDS)
    return ticket
