"""Who connects: by header token, one-time ticket or session cookie. Only the server's own facts count."""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from apps.accounts.credentials import (
    TICKET_KEY,
    DeviceIdentity,
    find_identity,
    hash_secret,
)
from apps.gateway.close_codes import CloseReason
from apps.gateway.database import DatabaseThreads
from apps.valkey.pools import async_client

MAX_SECRET_CHARACTERS = 256


class Refused(Exception):
    """The connection is closed with ``reason``."""

    def __init__(self, reason: CloseReason) -> None:
        super().__init__(reason.text)
        self.reason = reason


async def authenticate(scope: Mapping[str, Any], threads: DatabaseThreads) -> DeviceIdentity:
    """The device that connects. Raises Refused, ValkeyError, or what the database raises."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    authorization = headers.get("authorization", "")
    if authorization:
        scheme, _, secret = authorization.partition(" ")
        identity = await _find(secret.strip(), threads) if scheme.lower() == "token" else None
    elif "ticket" in query:
        identity = await _redeem_ticket(query["ticket"][0], threads)
    else:
        identity = await _find(_session_key(headers.get("cookie", "")), threads)
        if identity is not None and not _is_allowed_origin(headers):
            raise Refused(CloseReason.ORIGIN_REFUSED)
    if identity is None:
        raise Refused(CloseReason.NOT_AUTHENTICATED)
    if identity.suspended:
        raise Refused(CloseReason.SUSPENDED)
    return identity


async def _find(secret: str, threads: DatabaseThreads) -> DeviceIdentity | None:
    if not 0 < len(secret) <= MAX_SECRET_CHARACTERS:
        return None
    digest = hash_secret(secret)
    return await threads.run(lambda: find_identity(digest))


async def _redeem_ticket(ticket: str, threads: DatabaseThreads) -> DeviceIdentity | None:
    """A ticket works once, and only while the credential that asked for it is good."""
    if not 0 < len(ticket) <= MAX_SECRET_CHARACTERS:
        return None
    key = TICKET_KEY.format(digest=hash_secret(ticket))
    credential_hash = await async_client(settings.INBOX_REDIS_URL).getdel(key)
    if credential_hash is None:
        return None
    return await threads.run(lambda: find_identity(credential_hash))


def _session_key(cookie_header: str) -> str:
    try:
        morsel = SimpleCookie(cookie_header).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _is_allowed_origin(headers: Mapping[str, str]) -> bool:
    """A cookie is sent by any page that opens a socket: only our own pages' Origin is taken; none and ``null`` are
    refused.
    """
    origin = urlsplit(headers.get("origin", ""))
    if origin.scheme not in ("http", "https") or not origin.netloc:
        return False
    host, _ = split_domain_port(origin.netloc)
    return bool(host) and validate_host(host, settings.ALLOWED_HOSTS)
