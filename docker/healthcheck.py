"""The container's health check: ``healthcheck.py gateway`` or ``healthcheck.py metrics``. Exit code 0 means healthy.

It asks only the process of its own container. What that process depends on is for ``/readyz`` and the alerts to tell:
a container that is restarted because its database is away helps nobody.
"""  # noqa: INP001 (a script, no package)

import http.client
import os
import sys

TIMEOUT_SECONDS = 4.0


def find_target(kind: str) -> tuple[int, str]:
    """The port and path to ask, by the environment that the process was started with. Raises ValueError."""
    if kind == "gateway":
        return int(os.environ.get("CHAT_PORT") or 8000), "/healthz"
    if kind == "metrics":
        return int(os.environ["METRICS_PORT"]), "/metrics"
    raise ValueError(f"{kind!r} is not known: it takes gateway or metrics")


def allowed_host() -> str:
    """A host name that the site answers to: it refuses requests for any other, even from here."""
    name = os.environ.get("ALLOWED_HOSTS", "").partition(",")[0].strip().lstrip(".")
    return name if name not in ("", "*") else "localhost"


def check(port: int, path: str) -> str | None:
    """Return what is wrong, None where the process answers as it should."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": allowed_host()})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer on port {port}: {error}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{path} on port {port} answers {status}"


def main(arguments: list[str]) -> int:
    """Check what the one argument names."""
    try:
        (kind,) = arguments
        problem = check(*find_target(kind))
    except (ValueError, KeyError) as error:
        problem = f"cannot check {' '.join(arguments) or 'nothing'}: {error}"
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
