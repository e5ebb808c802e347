"""The cloud side: broker, S3 server, processors, and when wanted a proxy before the server."""

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.stored import BUCKET, Keys
from tests.chaos.workshop import Part, Spec, Workshop, bound, memory_of
from tests.integration.containers import MOSQUITTO_CONF

PREFIX = "face_detection"
HERE = Path(__file__).resolve().parent
_CONTROL_PORT = 8334


@dataclass(frozen=True)
class CloudPlan:
    """How the cloud side is told to be."""

    qos: int = 1
    processors: int = 1
    proxied: bool = False


class Cloud:
    """One broker and one S3 server for all rows; the processors are made as a plan says."""

    def __init__(self, workshop: Workshop, images: Mapping[str, str], folder: Path) -> None:
        self._workshop = workshop
        self._images = images
        self.keys = Keys(folder)
        conf = folder / "mosquitto.conf"
        conf.write_text(MOSQUITTO_CONF)
        self.broker = workshop.part(
            "cloud-broker",
            Spec(
                image=images["broker"],
                memory=memory_of("cloud", "broker"),
                networks=("cloud", "wan"),
                mounts=[bound(conf, "/etc/mosquitto/mosquitto.conf", read_only=True), workshop.volume("b")],
            ),
        )
        self.s3 = workshop.part(
            "cloud-s3",
            Spec(
                image=images["s3"],
                memory=memory_of("cloud", "s3"),
                networks=("cloud",),
                mounts=[
                    bound(self.keys.identities, "/run/secrets/s3.json", read_only=True),
                    bound(self.keys.security, "/etc/seaweedfs/security.toml", read_only=True),
                    workshop.volume("s3"),
                ],
                pids=256,
            ),
        )
        self.processors: list[Part] = []
        self.proxy: Part | None = None

    def start(self) -> None:
        self.s3.start()
        self.broker.start()

    def arrange(self, plan: CloudPlan) -> None:
        """Make processors, and the proxy, as the plan says; none of them keeps anything."""
        for part in [*self.processors, *([self.proxy] if self.proxy else [])]:
            part.remove()
        self.proxy = self._make_proxy() if plan.proxied else None
        self.processors = [self._make_processor(number, plan) for number in range(1, plan.processors + 1)]

    def _make_proxy(self) -> Part:
        part = self._workshop.part(
            "s3-proxy",
            Spec(
                image=self._images["forwarder"],
                memory="128m",
                networks=("cloud",),
                environment={"CHAOS_S3": "cloud-s3:8333"},
                mounts=[bound(HERE / "s3_proxy.py", "/chaos/s3_proxy.py", read_only=True)],
                command=["python3", "/chaos/s3_proxy.py"],
                pids=256,
            ),
        )
        part.start()
        return part

    def _make_processor(self, number: int, plan: CloudPlan) -> Part:
        part = self._workshop.part(
            f"cloud-processor-{number}",
            Spec(
                image=self._images["processor"],
                memory=memory_of("cloud", "processor"),
                networks=("cloud",),
                environment={
                    "AWS_SHARED_CREDENTIALS_FILE": "/run/secrets/s3",
                    "AWS_EC2_METADATA_DISABLED": "true",
                    "FACEFLEET_BUCKET": BUCKET,
                    "FACEFLEET_S3_ENDPOINT": f"http://{'s3-proxy' if plan.proxied else 'cloud-s3'}:8333",
                    "FACEFLEET_BROKER": "mqtt://cloud-broker:1883",
                    "FACEFLEET_QOS": str(plan.qos),
                    "FACEFLEET_TOPIC_PREFIX": PREFIX,
                    "FACEFLEET_CLIENT_ID": f"processor-{number}",
                    "FACEFLEET_LOG_LEVEL": "warning",
                },
                mounts=[bound(self.keys.credentials, "/run/secrets/s3", read_only=True)],
            ),
        )
        part.start()
        return part

    def tell_proxy(self, mode: str, share: float = 1.0, delay_s: float = 0.0) -> None:
        """Set the proxy's fault; `pass` ends it."""
        told = json.dumps({"mode": mode, "share": share, "delay_s": delay_s}).encode()
        self._ask_proxy(told)

    def struck(self) -> int:
        """Return how many requests the proxy's fault struck since it was set."""
        return self._ask_proxy(None)

    def _ask_proxy(self, told: bytes | None) -> int:
        assert self.proxy, "the plan has no proxy"
        url = f"http://{self.proxy.address()}:{_CONTROL_PORT}/"
        with urllib.request.urlopen(url, data=told, timeout=10) as answer:
            struck: int = json.load(answer)["struck"]
            return struck
