"""Test hosts for a person: `python -m tests.fleet.hosts up cloud jetson-01`, then `down`.

They are what inventory/lab describes. `up --baked` has the engine's packages in the image already.
"""

import argparse
import sys

import docker

from tests.fleet.hosts import image, lab


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet.hosts", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start hosts; those that are up already go first")
    up.add_argument("names", nargs="*", default=["cloud", "jetson-01", "jetson-02", "jetson-03"])
    up.add_argument("--baked", action="store_true", help="with the engine's packages, to save time")
    up.add_argument("--release", choices=image.RELEASES, default="trixie")
    verbs.add_parser("down", help="remove them, with all that is on them")
    guard = verbs.add_parser("guard")
    guard.add_argument("name")
    chosen = parser.parse_args()
    engine = docker.from_env(timeout=300)
    if chosen.verb == "up":
        made = lab.Lab(
            *chosen.names, releases=dict.fromkeys(chosen.names, chosen.release), baked=chosen.baked
        )
        made.up(lab.PERSON)
        for host in made.hosts.values():
            sys.stdout.write(f"{host.name}: {' '.join(made.key.ssh(host.address))}\n")
    elif chosen.verb == "down":
        lab.down(lab.NAME, engine)
    else:
        sys.stdin.buffer.read()
        lab.down(chosen.name, engine)


if __name__ == "__main__":
    main()
