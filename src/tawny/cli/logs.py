"""How a process logs: one line for a fact, on stderr; for people on a terminal, as JSON everywhere else."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

# What any client can make uvicorn say, how far its start has got, that some file has changed, and each address that was called
# (there are names of people in it) is not worth a line.
_NOISY = ("uvicorn.error", "uvicorn.asgi", "watchfiles.main", "httpx", "httpcore")


def configure(stream: TextIO | None = None) -> None:
    """Send what this process logs, by structlog or by `logging`, to `stream` (stderr)."""
    stream = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(stream)],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)


def _renderers(stream: TextIO) -> list[structlog.types.Processor]:
    if stream.isatty():
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
