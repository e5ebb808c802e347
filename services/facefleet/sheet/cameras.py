"""Listens to the retained status of the cameras on the edge broker."""

import os
import threading
import time

from pydantic import AnyUrl

from facefleet.messaging import topics
from facefleet.messaging.link import Delivery, Link
from facefleet.runtime.identity import Identity
from facefleet.sheet.account import Report, read_status
from facefleet.storage.faces import Camera

CONNECT_WITHIN_S = 5.0
QUIET_S = 0.5
"""Retained messages come at once after the subscription: this long without one means that all are here."""


class BrokerError(Exception):
    """The broker cannot be reached; the text names it and the reason."""


class Cameras:
    """The newest status of each camera, from now on."""

    def __init__(self, broker: AnyUrl, identity: Identity | None = None) -> None:
        """Connect, and wait for what is retained.

        Raises:
            BrokerError: when the broker cannot be reached.
        """
        self._broker = broker
        self._lock = threading.Lock()
        self._reports: dict[Camera, Report] = {}
        self._news_at = 0.0
        self._answered = threading.Event()
        self._refusal = "no answer"
        self._connected = False
        self._link = Link(
            broker,
            f"sheet-{os.getpid()}",
            identity=identity,
            subscriptions=[topics.camera_status("+", "+")],
            on_message=self._heard,
            on_state=self._turned,
        )
        self._link.start()
        self._answered.wait(CONNECT_WITHIN_S)
        if not self._connected:
            self.close()
            raise BrokerError(f"broker {broker}: {self._refusal}; start it or correct --broker")
        while time.monotonic() - self._news_at < QUIET_S:
            time.sleep(QUIET_S / 5)

    def reports(self) -> dict[Camera, Report]:
        """Return what each camera last said."""
        with self._lock:
            return dict(self._reports)

    def close(self) -> None:
        """Disconnect."""
        self._link.stop()

    def _heard(self, delivery: Delivery) -> None:
        said = read_status(delivery.topic, delivery.payload)
        if said:
            with self._lock:
                self._reports[said[0]] = said[1]
        self._news_at = time.monotonic()
        delivery.acknowledge()

    def _turned(self, connected: bool, detail: str) -> None:  # noqa: FBT001 - a callback has positional arguments
        self._connected = connected
        self._refusal = detail.removeprefix(f"{self._broker} ")
        self._news_at = time.monotonic()
        self._answered.set()
