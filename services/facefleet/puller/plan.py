"""What must be fetched so that the engine has the images of an order. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from facefleet.puller.order import Blob, Image


def missing(images: Iterable[Image], present: Mapping[str, str]) -> list[Image]:
    """Return the images that the engine lacks or has another of that name; `present` is reference to id."""
    return [image for image in images if present.get(image.ref) != image.id]


def needed_layers(images: Iterable[Image], present: Iterable[Sequence[str]]) -> dict[str, Blob]:
    """Return the layers that must come, digest to blob.

    An engine knows a layer only on top of the same others; `present` has those of each image that it has.
    """
    known = {tuple(layers[:depth]) for layers in present for depth in range(1, len(layers) + 1)}
    needed: dict[str, Blob] = {}
    for image in images:
        below: tuple[str, ...] = ()
        for layer in image.layers:
            below = (*below, layer.diff_id)
            if below not in known:
                needed[layer.diff_id] = layer.blob
    return needed


def blobs(images: Iterable[Image], layers: Mapping[str, Blob]) -> list[Blob]:
    """Return what to fetch, each once, the small ones first: a link that drops often brings those."""
    found = {blob.sha256: blob for blob in (*layers.values(), *(image.config for image in images))}
    return sorted(found.values(), key=lambda blob: (blob.size, blob.sha256))
