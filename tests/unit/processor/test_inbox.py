"""Two processors on one host are told apart."""

import re

from facefleet.processor.inbox import unique_client_id


def test_no_two_processors_have_one_name() -> None:
    names = {unique_client_id() for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"processor-[a-z0-9-]+", name) and len(name) <= 64 for name in names)
