"""Composition root: the one place that reads the environment and names adapters."""

from chatsite.sqlite import use_safe_sqlite

use_safe_sqlite()

# SQLite must be chosen before Django loads.
from chatsite import checks  # noqa: E402, F401 (importing it registers the checks)
from chatsite.celery import app as celery_app  # noqa: E402
from chatsite.environment import report_in_one_line  # noqa: E402

report_in_one_line()

__all__ = ["celery_app"]
