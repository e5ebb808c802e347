"""What one device shall run, as the control host signed it. Pure.

Only what the depot needs of it is read; the device reads the rest, and checks the signature.
"""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facefleet.runtime.settings import Name

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Edition = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")]
"""What a promotion is called: printable and without spaces, as it stands in logs and tables."""


class OrderError(ValueError):
    """This is no order; the text says why."""


class Blob(BaseModel):
    """Something that the device fetches by its hash."""

    model_config = ConfigDict(frozen=True)

    sha256: Digest
    size: int = Field(ge=0)


class Image(BaseModel):
    """An image, taken apart."""

    model_config = ConfigDict(frozen=True)

    config: Blob
    layers: tuple[Blob, ...]


class Puller(BaseModel):
    """The image that pulls, as a whole."""

    model_config = ConfigDict(frozen=True)

    archive: Blob


class Ordered(NamedTuple):
    """What rings go by."""

    device: str
    serial: int
    edition: str
    ring: int
    soak_s: int
    content: str = ""
    """The hash of what the device shall be by it; of an order of a former release nothing."""


class Order(BaseModel):
    """The text of an order."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1]
    device: Name
    serial: int = Field(ge=1, lt=10**10)
    edition: Edition
    ring: int = Field(ge=0)
    soak_s: int = Field(ge=0)
    content: Digest | None = None
    playbooks: Blob
    images: dict[str, Image]
    puller: Puller

    @property
    def blobs(self) -> dict[str, int]:
        """Return the sizes of all that the device may fetch, by hash."""
        wanted = [self.playbooks, self.puller.archive]
        for image in self.images.values():
            wanted += [image.config, *image.layers]
        return {each.sha256: each.size for each in wanted}

    @property
    def ordered(self) -> Ordered:
        """Return what rings go by."""
        return Ordered(self.device, self.serial, self.edition, self.ring, self.soak_s, self.content or "")


def read_order(text: bytes) -> Order:
    """Read the text of an order.

    Raises:
        OrderError: it is none.
    """
    try:
        return Order.model_validate_json(text)
    except ValidationError as error:
        raise OrderError(first_fault(error)) from None


def first_fault(error: ValidationError) -> str:
    """Return the first thing that is wrong, without what was given: it may be a secret."""
    fault: Any = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}" if where else str(fault["msg"])
