"""The control host keeps the newest images of each name, and no more."""

from types import ModuleType

import pytest

from tests.unit.roles.conftest import module_of


@pytest.fixture(scope="module")
def images_tidy() -> ModuleType:
    return module_of("images", "images_tidy")


def image(ref: str, created: int, architecture: str = "amd64") -> dict[str, object]:
    return {"RepoTags": [ref], "Created": f"2026-11-28T10:{created:02}:00Z", "Architecture": architecture}


def test_the_newest_of_each_name_and_platform_stay(images_tidy: ModuleType) -> None:
    images = [image(f"facefleet/broker:{number}", number) for number in range(5)]
    images += [image(f"facefleet/broker:arm{number}", number, "arm64") for number in range(2)]
    images += [image(f"facefleet/logger:{number}", number) for number in range(2)]
    images += [image(f"another/broker:{number}", number) for number in range(5)]
    images += [{"RepoTags": None, "Created": "2020-01-01T00:00:00Z", "Architecture": "amd64"}]
    assert images_tidy.too_old(images, "facefleet", 2) == [
        f"facefleet/broker:{number}" for number in range(3)
    ]
    assert images_tidy.too_old(images, "facefleet", 5) == []
