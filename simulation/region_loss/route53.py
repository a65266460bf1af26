"""Route 53 as the plans of an account share it: a zone takes one change at a time, and a change takes its time until
every name server answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from simulation.aws.errors import ApiError, NotSimulated
from simulation.scheduler import Scheduler
from simulation.sites import Sites

BUSY_S: Final = 1.0
"""For how long a zone takes no other change (PriorRequestNotComplete). AWS names no figure: external-dns and others
leave a second between two changes of a zone."""
IN_SYNC_S: Final = (15.0, 45.0)
Answer = dict[str, Any]


class Route53:
    """Hosted zones, and the hostnames in them. `sites`: by hostname."""

    def __init__(self, scheduler: Scheduler, sites: Mapping[str, Sites], moved: Callable[[], None]) -> None:
        self._clock = scheduler
        self._sites = sites
        self._moved = moved
        self._busy_until: dict[str, float] = {}
        self._in_sync_at: dict[str, float] = {}
        self.changed_at: dict[str, float] = {}
        """When the record of each hostname was first changed."""
        self.refused = 0
        """Changes that a busy zone did not take."""
        self.changes = 0

    def call(self, operation: str, request: Answer) -> Answer:
        """Carry an operation out.

        Raises:
            ApiError: the zone is busy.
        """
        match operation:
            case "ListResourceRecordSets":
                name = request["StartRecordName"]
                record = {"Name": f"{name}.", "Type": "CNAME", "TTL": 5}
                record |= {"ResourceRecords": [{"Value": self._sites[name].record}]}
                return {"ResourceRecordSets": [record], "IsTruncated": False, "MaxItems": "10"}
            case "GetHostedZone":
                zone = {"Id": request["Id"], "Name": "example.com.", "CallerReference": "simulation"}
                return {"HostedZone": zone, "DelegationSet": {"NameServers": ["ns-1.example.net", "ns-2.example.net"]}}
            case "ChangeResourceRecordSets":
                return self._change(request["HostedZoneId"], request["ChangeBatch"]["Changes"])
            case "GetChange":
                name = request["Id"].rpartition("/")[2]
                return self._info(name, "INSYNC" if self._in_sync_at[name] <= self._clock.now else "PENDING")
        raise NotSimulated(f"Route 53 {operation}")

    def _change(self, zone: str, changes: list[Answer]) -> Answer:
        now = self._clock.now
        if now < self._busy_until.get(zone, 0.0):
            self.refused += 1
            raise ApiError("PriorRequestNotComplete", "The request was rejected: a prior request was not complete.")
        self._busy_until[zone] = now + BUSY_S
        self.changes += 1
        name = f"C{self.changes}"
        self._in_sync_at[name] = now + self._clock.random.uniform(*IN_SYNC_S)
        for change in changes:
            record = change["ResourceRecordSet"]
            self._point(record["Name"].rstrip("."), record["ResourceRecords"][0]["Value"], self._in_sync_at[name])
        return self._info(name, "PENDING")

    def _point(self, hostname: str, target: str, at: float) -> None:
        sites = self._sites[hostname]
        sites.record = target
        self.changed_at.setdefault(hostname, self._clock.now)

        def answer() -> None:
            sites.answer = target
            self._moved()

        self._clock.call_at(at, answer)

    def _info(self, name: str, status: str) -> Answer:
        info = {"Id": f"/change/{name}", "Status": status}
        return {"ChangeInfo": info | {"SubmittedAt": datetime.fromtimestamp(self._clock.now, UTC)}}
