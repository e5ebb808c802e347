"""One site, edge and cloud, rearranged from row to row as each needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.cloud import Cloud, CloudPlan
from tests.chaos.edge import DEVICE, Edge, EdgePlan, Images
from tests.chaos.metrics import Meter
from tests.chaos.stored import Stored
from tests.chaos.workshop import Part, Workshop

NETWORKS = ("edge", "wan", "cloud")


@dataclass(frozen=True)
class Plan:
    """What a row needs of both sides."""

    edge: EdgePlan = field(default_factory=EdgePlan)
    cloud: CloudPlan = field(default_factory=CloudPlan)


class Site:
    """Cloud broker and S3 server stay; the rest is made anew when a plan wants it otherwise."""

    def __init__(self, workshop: Workshop, images: Images, old_images: Images | None) -> None:
        self._workshop = workshop
        self.images = images
        self._old_images = old_images or images
        self._sides = 0
        self._upgraded = False
        workshop.folder.mkdir(parents=True)
        for network in NETWORKS:
            workshop.network(network)
        self.cloud = Cloud(workshop, images, workshop.folder / "cloud")
        self.stored = Stored(self.cloud.keys, self.cloud.s3.address, DEVICE)
        self.edge: Edge | None = None
        self._plan: Plan | None = None
        self.meter = Meter(self.metered)

    def open(self) -> None:
        self.cloud.start()
        self.stored.prepare()
        self.meter.start()

    def arrange(self, plan: Plan) -> Edge:
        """Make both sides as the plan says; what is so already stays as it is."""
        before = self._plan
        self._plan = None  # when this fails, all is made anew
        if before is None or before.cloud != plan.cloud:
            self.cloud.arrange(plan.cloud)
        if before is None or before.edge != plan.edge or self.edge is None:
            self._new_edge(plan.edge)
        self._plan = plan
        assert self.edge
        return self.edge

    def forget_edge(self) -> None:
        """Let the next row begin with an empty edge."""
        self._plan = None

    def _new_edge(self, plan: EdgePlan) -> None:
        if self.edge:
            edge, self.edge = self.edge, None
            edge.remove()
        self.meter.forget("forwarder")
        self._sides += 1
        images = self._old_images if plan.old else self.images
        self.edge = Edge(self._workshop, images, plan, self._workshop.folder / f"edge-{self._sides}")
        self.edge.start()

    def parts(self) -> dict[str, Part]:
        """Return what can be killed, by the names that the rows use."""
        found = {"cloud broker": self.cloud.broker, "S3": self.cloud.s3}
        for number, processor in enumerate(self.cloud.processors, 1):
            found["processor" if number == 1 else f"processor {number}"] = processor
        return found | (self.edge.parts() if self.edge else {})

    def metered(self) -> Mapping[str, Part]:
        return {
            name: part
            for name, part in self.parts().items()
            if name == "forwarder" or name.startswith("processor")
        }

    def close(self) -> None:
        """End the threads; the sweep takes the rest."""
        self.meter.stop()
        self.stored.close()

    def next_images(self) -> Images:
        """Return what an upgrade brings: the newest images, or after them the same under another label."""
        if not self._upgraded and self._old_images is not self.images:
            self._upgraded = True
            return self.images
        return self._workshop.relabelled(self.images, ("broker", "forwarder"))
