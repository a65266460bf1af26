"""The frame of every JSON body of the Kafka REST v3 API, in three shapes.

`recorded`: as real clusters answered (recordings of January 2024). `older`: as before that, without the health of
links. `spec`: as the OpenAPI document says. They differ in `resource_name`, which real clusters left out where the
document has it as null, in the status of a creation, and in what the bodies' modules name.
"""

from __future__ import annotations

from typing import Any, Literal

Wire = Literal["recorded", "spec", "older"]
Body = dict[str, Any]


class Shape:
    """The shape of the bodies of one cluster's API; `base` is the URL of the server."""

    def __init__(self, base: str, cluster_id: str, wire: Wire) -> None:
        self.root = f"{base}/kafka/v3/clusters/{cluster_id}"
        self.crn = f"crn:///kafka={cluster_id}"
        self.cluster_id = cluster_id
        self.spec = wire == "spec"
        self.older = wire == "older"
        self.created = 204 if self.spec else 201

    def metadata(self, path: str, resource_name: str | None) -> Body:
        """Of one resource."""
        metadata: Body = {"self": f"{self.root}/{path}"}
        return {**metadata, "resource_name": resource_name} if self.spec else metadata

    def related(self, path: str) -> Body:
        """A reference to another resource."""
        return {"related": f"{self.root}/{path}"}

    def collection(self, kind: str, path: str, data: list[Body]) -> Body:
        """A list; the wire does not page, so `next` is always null."""
        return {"kind": kind, "metadata": {"self": f"{self.root}/{path}", "next": None}, "data": data}
