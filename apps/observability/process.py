"""Who this process is: the role it plays in the site, and the name under which others know it."""

import sys
from collections.abc import Sequence
from pathlib import PurePath

ASGI_SERVERS = ("daphne", "uvicorn", "hypercorn")
CELERY_ROLES = ("worker", "beat")

_server_id = ""


def find_role(command_line: Sequence[str]) -> str:
    """What a command line starts: "gateway", "relay", "worker", "beat", or the name of another management command."""
    program, *words = command_line or [""]
    name = PurePath(program).stem
    if name in ASGI_SERVERS:
        return "gateway"
    if name == "celery" or PurePath(program).parent.name == "celery":
        return next((word for word in words if word in CELERY_ROLES), "celery")
    if name == "manage" and words:
        return words[0]
    return name or "python"


ROLE = find_role(sys.argv)


def name_process(server_id: str) -> None:
    """Give the process the name that every later line of its JSON log carries as ``server_id``."""
    global _server_id
    _server_id = server_id


def server_id() -> str:
    """The name given by `name_process`; empty where nobody gave one."""
    return _server_id
