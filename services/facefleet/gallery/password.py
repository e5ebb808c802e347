"""`python -m facefleet.gallery.password`: reads a password, writes what to keep of it."""

import sys

from facefleet.gallery.people import hashed


def main() -> None:
    """Read one line of the standard input, write one."""
    try:
        print(hashed(sys.stdin.readline().rstrip("\n")))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
