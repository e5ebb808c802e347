"""Only what the fleet's signer ordered for this very device counts."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from facefleet.puller.order import OrderError, read, verify

from tests.unit.puller.orders import SIGNER, order, signed


def test_what_was_signed_is_read() -> None:
    text = order()
    verify(text, signed(text), SIGNER)
    wanted = read(text, "jetson-01")
    assert (wanted.serial, wanted.edition, wanted.text) == (7, "0a1b2c3d4e5f", text)
    assert [(image.ref, [layer.diff_id for layer in image.layers]) for image in wanted.images] == [
        ("facefleet/broker:1", ["sha256:l1"])
    ]


def test_one_letter_more_and_it_counts_no_more() -> None:
    text = order()
    with pytest.raises(OrderError, match="not signed by this fleet's signer"):
        verify(text + " ", signed(text), SIGNER)


def test_another_signer_and_a_damaged_signature_do_not_count() -> None:
    text = order()
    for signature in (signed(text, ec.generate_private_key(ec.SECP256R1())), "", "no base64!"):
        with pytest.raises(OrderError, match="not signed by this fleet's signer"):
            verify(text, signature, SIGNER)
    with pytest.raises(OrderError):
        verify(text, signed(text), b"no key")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (order(device="jetson-02"), "is for jetson-02, and this is jetson-01"),
        (order(version=2), "has version 2"),
        (order(images={"a": {}}), "cannot be read"),
        (order(playbooks={"sha256": "../../etc/passwd", "size": 1}), "cannot be read"),
        (order(playbooks={"sha256": "0" * 64, "size": -1}), "cannot be read"),
        ("[]", "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_what_cannot_count_says_why(text: str, words: str) -> None:
    with pytest.raises(OrderError, match=words):
        read(text, "jetson-01")
