"""Asks a running site whether it is ready."""

import http.client
import json

from django.conf import settings

ANSWER_TIMEOUT_SECONDS = 0.5


def find_missing_part(host: str, port: int) -> str | None:
    """Return what ``/readyz`` at `host` and `port` says is missing, in words; None where the site is ready."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz", headers={"Host": _allowed_host()})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return "gateway (it does not answer)"
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return None
    return _describe(answer.status, body)


def _describe(status: int, body: bytes) -> str:
    try:
        parts = json.loads(body)["parts"]
        missing = [f"{name} ({part['detail']})" for name, part in parts.items() if not part["ok"]]
    except (ValueError, KeyError, TypeError):
        return f"gateway (it answers with status {status})"
    return ", ".join(missing)


def _allowed_host() -> str:
    """Return a host name that the site answers to, whatever address it is asked at."""
    name = next(iter(settings.ALLOWED_HOSTS), "localhost").lstrip(".")
    return "localhost" if name == "*" else name
