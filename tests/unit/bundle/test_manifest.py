"""The manifest says what it holds, and takes nothing that cannot be."""

import dataclasses
import json

import pytest
from facefleet.bundle.errors import BundleError
from facefleet.bundle.manifest import Manifest, Part

GOOD = 64 * "a"


def test_it_comes_back_from_its_text(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_its_text_is_the_same_for_the_same_contents(manifest: Manifest) -> None:
    turned = dataclasses.replace(manifest, control=dict(reversed(manifest.control.items())))
    assert turned.to_json() == manifest.to_json()


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../up", "a/../b", "a//b", ".hidden", "-option", "a b", "install", "install.sig"],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="cannot be the name"):
        Part(name, 1, GOOD)


@pytest.mark.parametrize("name", ["packages/debian-13-amd64/libc6_2.41-12+deb13u5_amd64.deb", "a~b.whl"])
def test_names_of_packages_are_taken(name: str) -> None:
    assert Part(name, 1, GOOD).name == name


def test_a_hash_that_is_none_is_refused() -> None:
    with pytest.raises(BundleError, match="no size and SHA-256"):
        Part("a", 1, "abc")


def test_a_part_that_is_named_twice_is_refused(manifest: Manifest) -> None:
    with pytest.raises(BundleError, match="twice"):
        dataclasses.replace(manifest, parts=[*manifest.parts, manifest.parts[0]])


def test_another_version_is_refused(manifest: Manifest) -> None:
    told = json.loads(manifest.to_json()) | {"version": 2}
    with pytest.raises(BundleError, match="another version"):
        Manifest.from_json(json.dumps(told))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "parts": [{}]}'])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        Manifest.from_json(text)
