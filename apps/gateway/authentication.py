"""Who connects: by header token, one-time ticket or session cookie. Only the server's own facts count."""

from collections.abc import Mapping
from dataclasses import dataclass
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
from apps.valkey.async_keyspace import async_keyspace

MAX_SECRET_CHARACTERS = 256


class Refused(Exception):
    """The connection is closed with ``reason``."""

    def __init__(self, reason: CloseReason) -> None:
        super().__init__(reason.text)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """The hash of a token or session key; ``foreign`` where a cookie came from a page that is not ours."""

    digest: str
    foreign: bool = False


async def authenticate(scope: Mapping[str, Any], threads: DatabaseThreads) -> DeviceIdentity:
    """The device that opens a socket. Raises Refused, ValkeyError, or what the database raises."""
    ticket = _read_ticket(scope)
    if ticket is not None:
        return _check_identity(await _redeem_ticket(ticket, threads))
    return await find_device(read_credential(scope), threads)


def find_credential(scope: Mapping[str, Any]) -> Credential | None:
    """The credential that a connection comes with, not looked up yet; None for a ticket, and where there is none."""
    if _read_ticket(scope) is not None:
        return None
    try:
        return read_credential(scope)
    except Refused:
        return None


def read_credential(scope: Mapping[str, Any]) -> Credential:
    """The credential in a request's headers, not looked up yet. Raises Refused where there is none."""
    headers = _read_headers(scope)
    authorization = headers.get("authorization", "")
    if authorization:
        scheme, _, secret = authorization.partition(" ")
        return _to_credential(secret.strip() if scheme.lower() == "token" else "", foreign=False)
    session_key = _session_key(headers.get("cookie", ""))
    return _to_credential(session_key, foreign=not _is_allowed_origin(headers, scope.get("scheme", "")))


async def find_device(credential: Credential, threads: DatabaseThreads) -> DeviceIdentity:
    """Whose credential it is. Raises Refused, or what the database raises."""
    identity = await threads.run(lambda: find_identity(credential.digest))
    if identity is not None and credential.foreign:
        raise Refused(CloseReason.ORIGIN_REFUSED)
    return _check_identity(identity)


def _check_identity(identity: DeviceIdentity | None) -> DeviceIdentity:
    if identity is None:
        raise Refused(CloseReason.NOT_AUTHENTICATED)
    if identity.suspended:
        raise Refused(CloseReason.SUSPENDED)
    return identity


def _read_ticket(scope: Mapping[str, Any]) -> str | None:
    """The ticket in the query, where no token stands in a header."""
    ticket = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("ticket")
    return ticket[0] if ticket and not _read_headers(scope).get("authorization") else None


def _read_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _to_credential(secret: str, *, foreign: bool) -> Credential:
    if not 0 < len(secret) <= MAX_SECRET_CHARACTERS:
        raise Refused(CloseReason.NOT_AUTHENTICATED)
    return Credential(digest=hash_secret(secret), foreign=foreign)


async def _redeem_ticket(ticket: str, threads: DatabaseThreads) -> DeviceIdentity | None:
    """A ticket works once, and only while the credential that asked for it is good."""
    if not 0 < len(ticket) <= MAX_SECRET_CHARACTERS:
        return None
    key = TICKET_KEY.format(digest=hash_secret(ticket))
    credential_hash = await async_keyspace(settings.INBOX_REDIS_URL).execute("GETDEL", key)
    if credential_hash is None:
        return None
    return await threads.run(lambda: find_identity(credential_hash))


def _session_key(cookie_header: str) -> str:
    try:
        morsel = SimpleCookie(cookie_header).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _is_allowed_origin(headers: Mapping[str, str], scheme: str) -> bool:
    """A cookie is sent by any page that opens a socket: only our own pages' Origin is taken; none and ``null`` are
    refused. Over TLS a page without it is not ours: whoever is in between could have written it.
    """
    origin = urlsplit(headers.get("origin", ""))
    taken = ("https",) if scheme in ("wss", "https") else ("http", "https")
    if origin.scheme not in taken or not origin.netloc:
        return False
    host, _ = split_domain_port(origin.netloc)
    return bool(host) and validate_host(host, settings.ALLOWED_HOSTS)
