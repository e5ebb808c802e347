"""`python -m tests.fleet.aws --port P`: an AWS account until the process ends.

All services on one port, the metadata service too. `/launcher/` is ours: `POST /launcher/faults` arms a
fault, `POST /launcher/images` publishes images, `POST /launcher/console` says which host keys consoles show,
`GET /launcher/calls` tells the calls since last asked.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto import settings
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

from tests.fleet.aws import faults, mending, metadata

OURS = "/launcher/"
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


class Front:
    """The application: our switches, the metadata service, and everything else to moto."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._faults = faults.Faults(DomainDispatcherApplication(create_backend_app))
        self._metadata = metadata.Metadata(region)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        if request.path.startswith(OURS):
            return self._switch(request)(environ, start_response)
        if request.path.startswith(metadata.PREFIXES):
            return self._metadata.answer(request)(environ, start_response)
        # As behind AWS's own edge: what it forwards came over TLS unless it says otherwise.
        mending.SECURE.set(request.headers.get("X-Forwarded-Proto", "https") == "https")
        mending.LISTED.set(request.args.get("prefix", ""))
        return self._faults(environ, start_response)

    def _switch(self, request: Request) -> Response:
        name = request.path.removeprefix(OURS)
        if name == "faults" and request.method == "POST":
            self._faults.arm(*faults.from_json(request.get_data()))
        elif name == "images" and request.method == "POST":
            mending.add_images(mending.parse_images(request.get_data(as_text=True)), self._region)
        elif name == "console" and request.method == "POST":
            mending.show_on_the_console(json.loads(request.get_data()))
        elif name == "calls":
            taken, self._faults.calls = self._faults.calls, []
            return _json(taken)
        elif name != "faults":
            return Response(status=404)
        return _json(self._faults.waiting)


def _json(what: list[str]) -> Response:
    return Response(json.dumps(what), content_type="application/json")


def _make_operator(file: Path) -> None:
    """Make a user who may do everything, and check everybody's rights from now on."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    iam.create_user("us-east-1", "operator")
    iam.put_user_policy("operator", "everything", json.dumps(EVERYTHING))
    key = iam.create_access_key("operator")
    file.touch(mode=0o600)
    keys = {"aws_access_key_id": key.access_key_id, "aws_secret_access_key": key.secret_access_key}
    file.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items()))
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet.aws", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--region", default="eu-central-1")
    parser.add_argument("--amis", type=Path, default=Path(__file__).with_name("amis.json"), help="the images")
    parser.add_argument(
        "--operator", type=Path, metavar="FILE", help="write the operator's keys; check rights"
    )
    parser.add_argument(
        "--host-key", type=Path, action="append", default=[], help="a public key for the console"
    )
    parser.add_argument("--address", action="append", default=[], help="an elastic IP to hand out")
    options = parser.parse_args()
    os.environ["MOTO_PORT"] = str(options.port)
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    host_keys = [file.read_text().strip() for file in options.host_key]
    mending.mend(options.region, host_keys, options.address)
    mending.add_images(mending.parse_images(options.amis.read_text()), options.region)
    if options.operator:
        _make_operator(options.operator)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    run_simple(
        options.host, options.port, Front(options.region), threaded=True, request_handler=MotoRequestHandler
    )


if __name__ == "__main__":
    main()
