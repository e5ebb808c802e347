"""A machine is called as the manifest calls it."""

import pytest
from facefleet.bundle import machine


@pytest.mark.parametrize(
    ("told", "processor", "name"),
    [
        ('PRETTY_NAME="Debian"\nVERSION_ID="12"\nID=debian\n', "x86_64", "debian-12-amd64"),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', "aarch64", "ubuntu-24.04-arm64"),
        ("NAME=nothing\n", "riscv64", "unknown-?-riscv64"),
    ],
)
def test_its_name(told: str, processor: str, name: str) -> None:
    assert machine.name(told, processor) == name
