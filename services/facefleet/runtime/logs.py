"""One line an event, as `key=value`, on standard output."""

import logging
import sys
from typing import TextIO

import structlog


def configure(service: str, level: str = "info", to: TextIO | None = None) -> None:
    """Send our own lines and those of the libraries through one logfmt renderer, to standard output."""

    def name_the_service(
        _logger: object, _method: str, line: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {"service": service, **line}

    chain: list[structlog.typing.Processor] = [
        name_the_service,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(to or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.LogfmtRenderer(
                    key_order=["at", "level", "service", "event"], bool_as_flag=False
                ),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    logging.getLogger("facefleet").setLevel(level.upper())


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a part; lines carry the part's fields as `key=value`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(f"facefleet.{name}")
    return logger
