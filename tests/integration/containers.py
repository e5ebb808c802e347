"""The broker and the S3 server, each in a container of its own image, on a free port of the loopback."""

import json
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import boto3
import jinja2
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from docker import DockerClient
from facefleet.runtime.identity import Identity
from mypy_boto3_s3 import S3Client

from tests.integration.certificates import Authority, replaced
from tests.integration.waiting import await_until, free_port

BUCKETS = ("faces", "late", "versions", "forgotten", "depot", "gallery", "browser", "behind")
"""What the processor's key may put into; the first is made at the start."""

COMPOSE = Path(__file__).resolve().parents[2] / "compose"
BROKER_CONF = COMPOSE / "broker.conf.j2"
MOSQUITTO_CONF = "listener 1883\nallow_anonymous true\n" + jinja2.Template(
    BROKER_CONF.read_text(), keep_trailing_newline=True
).render(stack_queue_bytes=268435456)
TLS_CONF = (
    "log_type information\n"  # says when it has read its files anew
    + (COMPOSE / "tls.conf.j2").read_text()
)
PATTERNS = """\
topic readwrite #
topic read $SYS/#

pattern write face_detection/%u/#
pattern write status/%u
pattern read receipts/%u
"""
CONNECT = bytes.fromhex("100d00044d5154540502000a000000")
"""Of MQTT 5, with nothing in it."""
ACL = """\
topic readwrite #
topic deny forbidden/#
topic read $SYS/#
"""


class Server:
    """One container; stopping, killing and pausing it keep its port and its data."""

    KIND = ""
    PORT = 0
    MEMORY = ""

    def __init__(
        self, engine: DockerClient, image: str, files: dict[str, Path], *, ports: dict[int, int] | None = None
    ) -> None:
        """Mount files, or folders, by their place in the container; `ports` are more than the first."""
        self.port = free_port()
        self.name = f"facefleet-test-{self.KIND}-{os.getpid()}-{secrets.token_hex(3)}"
        self._container = engine.containers.create(
            image,
            name=self.name,
            ports={
                f"{inside}/tcp": ("127.0.0.1", outside)
                for inside, outside in {self.PORT: self.port, **(ports or {})}.items()
            },
            volumes=["/var/lib/facefleet"] + [f"{source}:{target}:ro" for target, source in files.items()],
            read_only=True,
            tmpfs={"/tmp": "size=16m,mode=1777"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit=self.MEMORY,
            init=True,
        )

    def start(self) -> None:
        self._container.start()

    def stop(self) -> None:
        """End it cleanly."""
        self._container.stop(timeout=10)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._container.kill()

    def pause(self) -> None:
        self._container.pause()

    def unpause(self) -> None:
        self._container.unpause()

    def log(self) -> str:
        return self._container.logs().decode(errors="replace")

    def remove(self) -> None:
        self._container.remove(force=True, v=True)


class Broker(Server):
    """A Mosquitto set up as ours; one that is `guarded` refuses what is below `forbidden/`."""

    KIND = "broker"
    PORT = 1883
    MEMORY = "256m"

    def __init__(self, engine: DockerClient, image: str, folder: Path, *, guarded: bool = False) -> None:
        guard = "acl_file /etc/mosquitto/acl\n" if guarded else ""
        files = {"/etc/mosquitto/mosquitto.conf": MOSQUITTO_CONF + guard, "/etc/mosquitto/acl": ACL}
        super().__init__(engine, image, written(folder, files))

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        super().start()
        await_until(self._answers, 20, f"{self.name} answers")

    def _answers(self) -> bool:
        """An MQTT 5 CONNECT is answered with a CONNACK; docker's own proxy takes connections earlier."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(CONNECT)
                return connection.recv(1) == b"\x20"
        except OSError:
            return False


class TlsBroker(Broker):
    """The cloud broker: mutual TLS for devices, `plain_port` for those on its host.

    Its identity, and its CRL and ACL, lie in folders that are mounted whole, so that they can be replaced.
    """

    def __init__(self, engine: DockerClient, image: str, folder: Path, authority: Authority) -> None:
        """Let every name of the authority's in, each with its own topics."""
        self.authority = authority
        self.tls_port = free_port()
        self._identity = Identity.within(folder / "identity")
        self._access = folder / "access"
        self.identify("localhost", "127.0.0.1")
        self.revoke()
        self.allow(PATTERNS)
        files = written(folder, {"/etc/mosquitto/mosquitto.conf": MOSQUITTO_CONF + TLS_CONF})
        folders = {"/run/identity": folder / "identity", "/run/access": self._access}
        Server.__init__(self, engine, image, files | folders, ports={8883: self.tls_port})

    @property
    def tls_url(self) -> str:
        return f"mqtts://127.0.0.1:{self.tls_port}"

    # What these write it does not read before it is told to.

    def identify(self, *hosts: str, **options: int) -> Identity:
        """Give it a certificate that names these hosts."""
        issued = self.authority.issue("broker", hosts, **options)
        replaced(self._identity.ca, issued.ca.read_bytes())
        replaced(self._identity.certificate, issued.certificate.read_bytes())
        replaced(self._identity.key, issued.key.read_bytes())
        return issued

    def revoke(self, *identities: Identity, ends: int = 30) -> None:
        """Put certificates on its CRL, which is good for so many days."""
        self.authority.revoke(*identities, ends=ends)
        replaced(self._access / "crl.pem", self.authority.crl.read_bytes())

    def allow(self, acl: str) -> None:
        """Replace its ACL."""
        replaced(self._access / "acl", acl.encode())

    def reload(self) -> None:
        """Have it read its files anew; who connects from now on meets the new ones."""
        before = self.log().count("Reloading config")
        self._container.kill("HUP")
        await_until(lambda: self.log().count("Reloading config") > before, 10, "it reads its files anew")


class S3Server(Server):
    """A SeaweedFS with the identities of the cloud stack, and a first bucket."""

    KIND = "s3"
    PORT = 8333
    MEMORY = "1g"

    def __init__(self, engine: DockerClient, image: str, folder: Path) -> None:
        self._folder = folder
        names = ("admin", "processor", "operator", "gallery", "eraser", "depot")
        self._keys = {name: secrets.token_hex(32) for name in names}
        actions = {
            "admin": ["Admin"],
            "processor": [f"Write:{bucket}" for bucket in BUCKETS],
            "operator": [f"{action}:{bucket}" for bucket in BUCKETS for action in ("Read", "List")],
            "gallery": [
                f"{action}:{bucket}/faces/*" for bucket in BUCKETS[-3:] for action in ("Read", "List")
            ],
            "eraser": [f"{action}:{bucket}" for bucket in BUCKETS for action in ("List", "Write")],
            "depot": [f"{action}:depot/releases/*" for action in ("List", "Read", "Write")],
        }
        identities = [
            {"name": name, "actions": actions[name], "credentials": [{"accessKey": name, "secretKey": key}]}
            for name, key in self._keys.items()
        ]
        files = {
            "/run/secrets/s3.json": json.dumps({"identities": identities}),
            "/etc/seaweedfs/security.toml": f'[s3.sse]\nkek = "{secrets.token_hex(32)}"\n',
        }
        super().__init__(engine, image, written(folder, files))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def credentials(self, identity: str) -> Path:
        """Return the credentials file of an identity."""
        file = self._folder / f"{identity}.ini"
        file.write_text(
            f"[default]\naws_access_key_id = {identity}\naws_secret_access_key = {self._keys[identity]}\n"
        )
        return file

    def client(self, identity: str) -> S3Client:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=identity,
            aws_secret_access_key=self._keys[identity],
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10),
        )

    def await_put(self, bucket: str, timeout: float) -> None:
        """Wait for a real put: the server answers before it can store."""
        admin = self.client("admin")
        succeeds(lambda: admin.put_object(Bucket=bucket, Key="probes/test", Body=b"x"), timeout)
        admin.close()


def succeeds(call: Callable[[], object], timeout: float) -> None:
    """Wait until a call to S3 raises nothing."""
    failure: list[Exception] = []

    def attempt() -> bool:
        try:
            call()
        except (ClientError, BotoCoreError) as error:
            failure[:] = [error]
            return False
        return True

    try:
        await_until(attempt, timeout)
    except AssertionError as error:
        raise AssertionError(f"S3: {failure[0]}") from error


def written(folder: Path, files: dict[str, str]) -> dict[str, Path]:
    """Write files that any user of a container can read; return where each belongs."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {}
    for target, content in files.items():
        places[target] = folder / Path(target).name
        places[target].write_text(content)
        places[target].chmod(0o444)
    return places
