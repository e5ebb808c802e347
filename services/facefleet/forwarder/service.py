"""The forwarder's story: from the edge broker, through the relay, to the cloud broker."""

import threading
from collections.abc import Callable

from facefleet.forwarder.relay import Relay
from facefleet.forwarder.settings import ForwarderSettings
from facefleet.messaging import topics
from facefleet.messaging.link import SESSION_FOR_EVER_S, Delivery, Link, Outcome
from facefleet.runtime.health import Health

CONDITIONS = ("edge_broker", "cloud_broker")
RETRY_TICK_S = 0.2


def run(settings: ForwarderSettings, health: Health, stop: threading.Event) -> None:
    """Carry messages until told to stop."""
    cloud = Link(
        settings.cloud_broker,
        f"{settings.device}-forwarder",
        qos=settings.qos,
        receive_maximum=settings.window,
        on_state=health.follow("cloud_broker"),
    )

    def send(delivery: Delivery, done: Callable[[Outcome], None]) -> None:
        cloud.publish(
            delivery.topic,
            delivery.payload,
            content_type=delivery.content_type,
            properties=delivery.properties,
            done=done,
        )

    relay = Relay(send, settings.retry_s)
    edge = Link(
        settings.broker,
        f"{settings.device}-forwarder",
        session_expiry_s=SESSION_FOR_EVER_S,
        qos=settings.qos,
        receive_maximum=settings.window,
        subscriptions=[topics.faces(settings.topic_prefix, settings.device, "+")],
        on_message=relay.take,
        on_state=health.follow("edge_broker"),
    )
    cloud.start()
    edge.start()
    while not stop.wait(RETRY_TICK_S):
        relay.retry_due()
    edge.stop()
    cloud.stop()
