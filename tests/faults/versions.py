"""Which software a run was made with."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version

from tests.client.site import PROJECT, Site

PACKAGES = ("Django", "channels", "channels-redis", "celery", "uvicorn", "redis", "kafka-python", "pymongo", "psycopg")


def list_versions(site: Site | None) -> Mapping[str, str]:
    """The versions of the commit, Python, the packages that carry messages and, where a site of ours runs, Valkey."""
    found = {"commit": read_commit(), "Python": platform.python_version(), "system": sys.platform}
    if site is not None:
        found |= {package: version(package) for package in PACKAGES}
        with site.cache() as cache:
            found["Valkey"] = str(cache.info("server").get("valkey_version", "unknown"))
    return found


def read_commit() -> str:
    """The commit of the checkout, with a mark where it was changed; "unknown" outside of one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
