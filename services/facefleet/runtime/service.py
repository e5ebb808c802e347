"""How a service starts, is checked and ends."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import structlog
from prometheus_client import start_http_server

from facefleet.runtime import logs
from facefleet.runtime.health import Health
from facefleet.runtime.identity import Identity, IdentityError
from facefleet.runtime.settings import ServiceSettings, SettingsError, load

EX_SOFTWARE = 70
EX_CONFIG = 78

S = TypeVar("S", bound=ServiceSettings)


class ServiceError(Exception):
    """The service cannot go on; the message names the thing and the remedy."""


def main(
    service: str,
    model: type[S],
    conditions: Iterable[str],
    run: Callable[[S, Health, threading.Event], None],
) -> None:
    """Check the settings, then run the service until SIGTERM. With --check only the former.

    Ends the process: 0 after a clean stop, 78 for bad settings, 70 for anything fatal.
    """
    parser = argparse.ArgumentParser(prog=f"facefleet-{service}")
    parser.add_argument("--check", action="store_true", help="check the settings and end")
    options = parser.parse_args()
    logs.configure(service)
    log = logs.get(service)
    try:
        settings = load(model, os.environ)
    except SettingsError as error:
        for problem in error.problems:
            log.error("bad setting", problem=problem)
        sys.exit(EX_CONFIG)
    if options.check:
        _check_identities(settings.identities, log)
        log.info("settings are good")
        return
    logs.configure(service, settings.log_level)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    threading.excepthook = _die_with_the_thread
    health = Health(Path(settings.health_file), conditions)
    threading.Thread(target=health.write_until, args=(stop,), name="health", daemon=True).start()
    if settings.metrics_port:
        start_http_server(settings.metrics_port)
    log.info("started")
    try:
        run(settings, health, stop)
    except ServiceError as error:
        log.error("cannot go on", problem=str(error))
        sys.exit(EX_SOFTWARE)
    log.info("stopped")


def _check_identities(identities: Iterable[Identity], log: structlog.typing.FilteringBoundLogger) -> None:
    """Look at those that are here: settings are also checked where none is mounted."""
    problems = []
    for identity in identities:
        try:
            if identity.mounted:
                identity.context()
        except IdentityError as error:
            problems.append(str(error))
    for problem in problems:
        log.error("bad identity", problem=problem)
    if problems:
        sys.exit(EX_CONFIG)


def _die_with_the_thread(args: threading.ExceptHookArgs) -> None:
    """A service with a dead thread looks alive and does nothing: end it, so that it is restarted."""
    logs.get("runtime").error(
        "a thread died", thread=args.thread.name if args.thread else "?", exc_info=args.exc_value
    )
    sys.stdout.flush()
    os._exit(EX_SOFTWARE)
