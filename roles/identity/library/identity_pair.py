#!/usr/bin/python
"""Keep a host's key and certificate as pairs, of which one counts: a new one takes over in one step."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5, which has no library for certificates.
from __future__ import annotations

import hashlib
import os
import shutil
import ssl
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: identity_pair
short_description: Keeps a host's key and certificate as pairs, of which one counts
description:
  - C(host.crt) and C(host.key) are links into C(pair), which is a link to a folder below C(pairs): a renewal
    is one step.
  - Plain files of former releases become a pair, without a new certificate.
options:
  folder: {type: path, required: true, description: Folder of the identity}
  uid: {type: int, required: true, description: "Who may read the key, by number"}
  subject: {type: str, description: "Name of the host, for which a new key and a request are made"}
  names: {type: list, elements: str, default: [], description: "What it asks for: DNS:name or IP:address"}
  certificate: {type: str, description: "Certificate (PEM) of that key; the two become the pair that counts"}
author: Facefleet
"""

RETURN = """
checksum: {type: str, returned: always, description: "SHA-1 of the certificate's file, or nothing"}
files: {type: dict, returned: always, description: "SHA-256 of each of ca.crt and signer.pub, or nothing"}
request: {type: str, returned: with subject, description: The request (PEM)}
"""

KEEP_BEFORE = 1
"""Pairs before the one that counts that stay: somebody may be reading them."""


class Folder:
    """The folder of one host's identity."""

    def __init__(self, module: AnsibleModule, path: Path) -> None:
        self._module = module
        self._uid: int = module.params["uid"]
        self._path = path
        self._pairs = path / "pairs"
        self._next = self._pairs / "next"
        self.changed = False

    def settle(self) -> None:
        """Turn plain files into a pair."""
        certificate, key = self._path / "host.crt", self._path / "host.key"
        if certificate.is_symlink() and key.is_symlink():
            return
        if not (certificate.is_file() and key.is_file()):
            return
        self.changed = True
        if self._module.check_mode:
            return
        pem = certificate.read_bytes()
        self._make(self._pairs)
        self._make(self._next)
        self._write(self._next / "host.key", key.read_bytes(), 0o400, self._uid)
        self._count(pem)

    def request(self, subject: str, names: list[str]) -> str:
        """Make a key, unless one waits for its certificate already, and return a request with it."""
        key, request = self._next / "host.key", self._next / "host.csr"
        for folder in (self._path, self._pairs, self._next):
            self._make(folder)
        if not key.exists():
            curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
            self._write(key, self._openssl("genpkey", *curve).encode(), 0o400, self._uid)
            self.changed = True
        asked = ("-subj", "/CN=" + subject, "-addext", "subjectAltName=" + ",".join(names))
        pem = self._openssl("req", "-new", "-key", str(key), *asked)
        self._write(request, pem.encode(), 0o644, 0)
        return pem

    def place(self, pem: str) -> None:
        """Let a certificate and the key that waited for it count."""
        if self._checksum() == hashlib.sha1(pem.encode()).hexdigest():  # noqa: S324 - as stat tells it
            return
        self.changed = True
        if self._module.check_mode:
            return
        key = self._next / "host.key"
        if not key.exists():
            self._module.fail_json(msg=f"no key waits for a certificate in {self._next}")
        of_key = self._openssl("pkey", "-in", str(key), "-pubout")
        if self._openssl("x509", "-noout", "-pubkey", data=pem) != of_key:
            self._module.fail_json(msg=f"the certificate is not of the key in {self._next}")
        self._count(pem.encode())

    def look(self) -> dict[str, Any]:
        """Return what there is."""
        files = {name: _digest(self._path / name) for name in ("ca.crt", "signer.pub")}
        return {"checksum": self._checksum(), "files": files}

    def _checksum(self) -> str:
        try:
            return hashlib.sha1((self._path / "host.crt").read_bytes()).hexdigest()  # noqa: S324
        except OSError:
            return ""

    def _count(self, pem: bytes) -> None:
        """Give what waits its certificate, and make it the pair that counts."""
        name = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()[:12]
        self._write(self._next / "host.crt", pem, 0o644, 0)
        (self._next / "host.csr").unlink(missing_ok=True)
        pair = self._pairs / name
        if pair.exists():  # the power went before it counted
            shutil.rmtree(self._next)
        else:
            self._next.rename(pair)
            _sync(self._pairs)
        self._link(self._path / "pair", "pairs/" + name)
        for file in ("host.crt", "host.key"):
            if not (self._path / file).is_symlink():
                self._link(self._path / file, "pair/" + file)
        before = sorted((p for p in self._pairs.iterdir() if p != pair), key=lambda p: p.stat().st_mtime)
        for old in before[: len(before) - KEEP_BEFORE]:
            shutil.rmtree(old)

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(mode=0o755, parents=True)
            folder.chmod(0o755)
            self.changed = True

    def _link(self, path: Path, target: str) -> None:
        draft = path.with_name("." + path.name + ".new")
        if draft.is_symlink():
            draft.unlink()
        draft.symlink_to(target)
        draft.replace(path)
        _sync(path.parent)

    def _write(self, path: Path, content: bytes, mode: int, uid: int) -> None:
        """Write a file whole, which only its owner sees meanwhile."""
        draft = path.with_name("." + path.name + ".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.chown(draft, uid, uid)
        draft.chmod(mode)
        draft.replace(path)
        _sync(path.parent)

    def _openssl(self, *arguments: str, data: str | None = None) -> str:
        """Return what openssl says; its words hold no key but for `genpkey`."""
        code, said, problem = self._module.run_command(["openssl", *arguments], data=data)
        if code:
            self._module.fail_json(msg=f"openssl {arguments[0]}: {problem.strip()}")
        return str(said)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _sync(folder: Path) -> None:
    """Let what was renamed in a folder outlast a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def main() -> None:
    """Settle, then do what was asked for."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "uid": {"type": "int", "required": True},
            "subject": {"type": "str"},
            "names": {"type": "list", "elements": "str", "default": []},
            "certificate": {"type": "str"},
        },
        mutually_exclusive=[("subject", "certificate")],
        supports_check_mode=True,
    )
    folder = Folder(module, Path(module.params["folder"]))
    folder.settle()
    found: dict[str, Any] = {}
    if module.params["subject"] and not module.check_mode:
        found["request"] = folder.request(module.params["subject"], module.params["names"])
    if module.params["certificate"]:
        folder.place(module.params["certificate"])
    module.exit_json(changed=folder.changed, **folder.look(), **found)


if __name__ == "__main__":
    main()
