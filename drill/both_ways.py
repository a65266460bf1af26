"""The link between the drill's sites, in both directions, so that mirrors can be reversed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drill import fixture_plan
from drill.network.plain_http import plain
from drill.process import Child


def link_config(
    remote: Mapping[str, Any], *, interval_s: float, offset_sync_s: float, groups: Sequence[str]
) -> dict[str, Any]:
    """A cluster's end of the link, for its REST API's process. `remote`: what the other cluster announced."""
    return {
        "name": fixture_plan.LINK,
        "remote_cluster_id": remote["cluster_id"],
        "remote_bootstrap": remote["bootstrap"],
        "remote_raw_bootstrap": remote["raw_bootstrap"],
        "interval_s": interval_s,
        "offset_sync_s": offset_sync_s,
        "groups": list(groups),
    }


def introduce(clusters: Mapping[str, Child], rest: Mapping[str, Child]) -> None:
    """Let each end of the link know the other one."""
    for site, api in rest.items():
        peers = {clusters[other].ready["cluster_id"]: rest[other].ready["control"] for other in rest if other != site}
        plain.put(f"{api.ready['control']}/peers", json=peers).raise_for_status()
