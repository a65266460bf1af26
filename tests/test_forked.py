"""What a test starts is as what a user starts, though it is forked."""

from __future__ import annotations

from pathlib import Path

from drill.process import spawn


def test_clusters_that_a_test_starts_are_two_and_not_one(tmp_path: Path) -> None:
    clusters = [spawn("tests.drill.confluent.mock_cluster", {}, log=tmp_path / f"{n}.log") for n in range(4)]
    try:
        assert len({cluster.ready["cluster_id"] for cluster in clusters}) == 4
    finally:
        for cluster in clusters:
            cluster.kill()
