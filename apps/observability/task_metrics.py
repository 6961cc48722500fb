"""Durations and failures of Celery tasks, by Celery's own signals; connected by importing this."""

import time
from typing import Any

from celery import Task
from celery.signals import task_failure, task_postrun, task_prerun

from apps.observability.metrics import TASK_FAILURES, TASK_SECONDS

_started: dict[str, float] = {}
"""Task id → when it began; a child of the worker runs one at a time."""


@task_prerun.connect
def note_start(task_id: str, **_: Any) -> None:
    """A task begins."""
    _started[task_id] = time.perf_counter()


@task_postrun.connect
def note_end(task_id: str, task: Task[Any, Any], **_: Any) -> None:
    """A task has ended, well or not."""
    began = _started.pop(task_id, None)
    if began is not None:
        TASK_SECONDS.labels(task.name).observe(time.perf_counter() - began)


@task_failure.connect
def note_failure(sender: Task[Any, Any], **_: Any) -> None:
    """A task raised; sent by the worker's parent too, when a child was killed for its time limit."""
    TASK_FAILURES.labels(sender.name).inc()
