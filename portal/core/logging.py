"""Structured logs: one JSON object a line, with the request's id, and never a secret."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

SECRET_NAMES = re.compile(r"password|secret|token|signature|authorization|cookie|server_key|api_key|credential", re.I)
SECRET_VALUES = re.compile(
    r"(SB-)?Mid-(server|client)-[\w-]+|Bearer\s+\S+|Basic\s+[\w+/=]+|://[^/\s:@]+:[^/\s@]+@"
    # a mailed link is a key, and stands in its page's path
    r"|(?<=/reset/)[\w-]+|(?<=/verify/)[\w-]+|(?<=/unsubscribe/)[\w.-]+"
)


# Libraries that say at INFO what only their makers want to know.
NOISY = (
    "werkzeug", "mail.log", "asyncio", "rq.worker", "rq_scheduler.scheduler", "fontTools", "weasyprint", "urllib3",
)  # fmt: skip


def configure(level: str) -> None:
    """Sends structlog and the standard library's records to stdout as JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[*shared],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))


def redact(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Blanks values whose name or shape is that of a secret."""
    return {key: "[redacted]" if SECRET_NAMES.search(key) else _redact_value(value) for key, value in event.items()}


def _redact_value(value: Any) -> Any:
    return SECRET_VALUES.sub("[redacted]", value) if isinstance(value, str) else value
