"""`python -m facefleet.gallery.password`: reads a password, writes what to keep of it."""

import sys

from facefleet.gallery.people import hashed, verified


def main() -> None:
    """Read a password and what was kept of it before, a line each; write what to keep now.

    What was kept stays if it is of this password: so a second run of a playbook changes nothing.
    """
    password, before = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    try:
        print(before if before and verified(password, before) else hashed(password))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
