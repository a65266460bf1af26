"""A service that writes in transactions: what is acknowledged is committed, and it goes over by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drill.clients.families import LIBRDKAFKA_TRANSACTIONAL
from drill.clients.read_log import read_cluster
from drill.clients.record_log import producer_log
from drill.clients.stop import finish
from tests.patience import eventually


@pytest.mark.slow
def test_a_transactional_writer_goes_over_and_gives_back_what_it_had_open(two_sites: Any, tmp_path: Path) -> None:
    log = tmp_path / "writer.rec"
    config = {"bootstrap": two_sites.bootstrap, "topics": ["orders"], "partitions": 2, "rate": 50, "log": str(log)}
    writer = two_sites.spawn(LIBRDKAFKA_TRANSACTIONAL.writer, config, "writer")
    eventually(lambda: len(producer_log(log).acknowledged) > 50)
    assert producer_log(log).failed == ()
    two_sites.lose_east()
    flipped_at = two_sites.flip()
    eventually(lambda: producer_log(log).acknowledged[-1].at > flipped_at + 1)
    assert finish(writer)
    written = producer_log(log)
    assert written.failed, "a transaction that was open at the loss can't be committed elsewhere"
    assert {n.n for n in written.failed}.isdisjoint(record.n for record in written.acknowledged)
    west = two_sites.raw("west")
    stored = {(record.n, record.offset) for record in read_cluster(west, ["orders"], checked=False).records}
    of_west = {(record.n, record.offset) for record in written.acknowledged if record.at > flipped_at}
    assert of_west and of_west <= stored
