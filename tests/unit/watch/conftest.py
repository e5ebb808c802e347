"""What a device says is built as in the tests of the fleet view."""

from tests.unit.fleet.conftest import say

__all__ = ["say"]
