#!/usr/bin/python
"""Push images to a registry that lacks them, and tell by which digest it knows each."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: registry_push
short_description: Pushes images that a registry lacks
description:
  - Asks the registry for each image that was pushed before, and pushes those that it lacks.
  - The engine writes down the digest of what it pushed; that is the record.
  - Finds certificates where the engine does, in C(/etc/docker/certs.d).
  - A registry that does not say what it has (it wants a login) is pushed to, which sends no layer twice.
options:
  images: {type: list, elements: str, required: true, description: References of the images}
  registry: {type: str, required: true, description: "host:port of the registry, and a path where it has one"}
author: Facefleet
"""

RETURN = """
digests: {type: dict, returned: always, description: Reference to digest of each that the registry has}
pushed: {type: list, elements: str, returned: always, description: What it lacked}
"""

_CERTIFICATES = Path("/etc/docker/certs.d")
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
_DIGEST = re.compile(rb"digest: (sha256:[0-9a-f]{64})")
_ANSWER_S = 10


class PushError(Exception):
    """The engine did not do what it was asked; the text is its own."""


def docker(*arguments: str) -> bytes:
    """Return what the engine's client says."""
    done = subprocess.run(["docker", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise PushError(done.stderr.decode(errors="replace").strip())
    return done.stdout


class Registry:
    """A registry as an engine sees it: by the certificates that the engine would show."""

    def __init__(self, place: str) -> None:
        self.place = place
        host, _, path = place.partition("/")
        self._prefix = f"{path}/" if path else ""
        if host.startswith(("127.", "localhost")):  # engines speak HTTP to these
            self._connection = http.client.HTTPConnection(host, timeout=_ANSWER_S)
        else:
            self._connection = http.client.HTTPSConnection(host, timeout=_ANSWER_S, context=_context(host))

    def has(self, repository: str, digest: str) -> bool | None:
        """Tell whether it has an image, or that it does not say."""
        path = f"/v2/{self._prefix}{repository}/manifests/{digest}"
        try:
            self._connection.request("HEAD", path, headers={"Accept": _MANIFEST})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None
        return {http.client.OK: True, http.client.NOT_FOUND: False}.get(answer.status)


def _context(host: str) -> ssl.SSLContext:
    folder = _CERTIFICATES / host
    authority, own = folder / "ca.crt", folder / "client.cert"
    context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
    if own.exists():
        context.load_cert_chain(own, folder / "client.key")
    return context


def recorded(images: list[str], registry: str) -> dict[str, str]:
    """Return the digest of each image that was pushed to a registry, as the engine wrote it down."""
    found = {}
    for image, facts in zip(images, json.loads(docker("image", "inspect", *images)), strict=True):
        known = f"{registry}/{image.rpartition(':')[0]}@"
        for name in facts["RepoDigests"] or []:
            if name.startswith(known) and f"{registry}/{image}" in facts["RepoTags"]:
                found[image] = name.removeprefix(known)
    return found


def push(image: str, registry: str) -> tuple[str, bool]:
    """Push an image; return its digest, and whether anything of it was new there."""
    docker("image", "tag", image, f"{registry}/{image}")
    said = docker("image", "push", f"{registry}/{image}")
    digest = _DIGEST.search(said)
    if digest is None:
        raise PushError(f"docker push told no digest: {said.decode(errors='replace')}")
    return digest[1].decode(), b": Pushed" in said


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "images": {"type": "list", "elements": "str", "required": True},
            "registry": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    images: list[str] = module.params["images"]
    registry = Registry(module.params["registry"])
    pushed = []
    try:
        known = recorded(images, registry.place)
        answers = {image: registry.has(image.rpartition(":")[0], digest) for image, digest in known.items()}
        digests = {image: digest for image, digest in known.items() if answers[image] is not False}
        for image in images:
            if answers.get(image) or (module.check_mode and image in digests):
                continue
            new = True
            if not module.check_mode:
                digests[image], new = push(image, registry.place)
            if new:
                pushed.append(image)
    except (PushError, OSError) as error:
        module.fail_json(f"{registry.place} does not take the images: {error}")
    module.exit_json(changed=bool(pushed), digests=digests, pushed=pushed)


if __name__ == "__main__":
    main()
