"""How log lines look: for people by default, one JSON object a line with LOG_FORMAT=json. Both are redacted.

The formatters are named in ``settings.LOGGING``; whoever sets up logging otherwise is left alone.
"""

import logging

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from apps.observability import process
from apps.observability.redaction import redact

FACTS = ("message_id", "stage")
"""What our lines give with ``extra``: fields of their own in JSON."""


class TextFormatter(logging.Formatter):
    """One line for people (an exception has more)."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, without secrets and content."""
        return redact(super().format(record))


class JsonFormatter(structlog.stdlib.ProcessorFormatter):
    """One JSON object a line: timestamp, level, logger, event, role, pid, server_id, and where they apply message_id,
    stage and exception.
    """

    def __init__(self) -> None:
        super().__init__(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(allow=FACTS),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _add_process,
            ],
            processors=_PROCESSORS,
        )


def _add_process(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    event["role"] = process.ROLE
    event["pid"] = record.process
    if process.server_id():
        event["server_id"] = process.server_id()
    return event


def _redact_texts(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {name: redact(value) if isinstance(value, str) else value for name, value in event.items()}


_PROCESSORS: list[Processor] = [
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.processors.format_exc_info,
    _redact_texts,
    structlog.processors.JSONRenderer(),
]
