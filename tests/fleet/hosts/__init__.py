"""Bare machines to deploy to: containers with systemd, sshd and room for an engine of their own."""

from tests.fleet.hosts.host import Host
from tests.fleet.hosts.lab import Lab

__all__ = ["Host", "Lab"]
