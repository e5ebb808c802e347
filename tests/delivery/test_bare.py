"""Before anything is installed; so these tests come first."""

import pytest

from tests.delivery.depot import Depot

pytestmark = pytest.mark.timeout(600)


def test_check_mode_tells_what_a_bare_host_lacks(bare_depot: Depot) -> None:
    said = bare_depot.deliver("--check").succeeded()
    assert said.changed == {"jetson-01": 1}
    assert all(ref in said.output for ref in bare_depot.wanted())
