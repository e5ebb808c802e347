"""Only what the engine lacks is fetched."""

from facefleet.puller.order import Blob, Image, Layer
from facefleet.puller.plan import blobs, missing, needed_layers


def layer(name: str, size: int = 1) -> Layer:
    return Layer(f"sha256:{name}", Blob(name * 64, size))


def image(ref: str, *layers: Layer) -> Image:
    return Image(ref, f"sha256:id-{ref}", Blob("c" * 64, 9), layers)


def test_an_image_that_is_there_under_its_name_and_id_is_not_missing() -> None:
    images = [image("a"), image("b"), image("c")]
    assert missing(images, {"a": "sha256:id-a", "b": "sha256:another"}) == images[1:]


def test_a_layer_counts_as_present_only_on_top_of_the_same_others() -> None:
    wanted = [image("a", layer("1"), layer("2"), layer("3"))]
    assert set(needed_layers(wanted, [])) == {"sha256:1", "sha256:2", "sha256:3"}
    assert set(needed_layers(wanted, [["sha256:1", "sha256:2"]])) == {"sha256:3"}
    assert set(needed_layers(wanted, [["sha256:1", "sha256:3"]])) == {"sha256:2", "sha256:3"}
    assert needed_layers(wanted, [["sha256:1", "sha256:2", "sha256:3", "sha256:4"]]) == {}


def test_each_blob_is_fetched_once_and_the_small_ones_first() -> None:
    wanted = [image("a", layer("1", 50), layer("2", 3)), image("b", layer("1", 50))]
    assert [blob.size for blob in blobs(wanted, needed_layers(wanted, []))] == [3, 9, 50]
