"""A producer that begins on the standby may get the id of one that moved over: where that one writes, it ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from drill.clients.record_log import producer_log
from drill.clients.stop import finish
from tests.patience import eventually


@pytest.mark.exhaustive
def test_a_newcomer_with_the_id_of_a_producer_that_moved_over_ends_and_says_why(two_sites: Any, tmp_path: Path) -> None:
    def write(name: str, first_number: int) -> tuple[Any, Path]:
        log = tmp_path / f"{name}.rec"
        of_both = {"bootstrap": two_sites.bootstrap, "topics": ["orders"], "partitions": 1, "rate": 50}
        config = of_both | {"log": str(log), "first_number": first_number}
        return two_sites.spawn("drill.clients.producer", config, name), log

    mover, moved = write("mover", 0)
    eventually(lambda: len(producer_log(moved).acknowledged) > 10)
    two_sites.lose_east()
    flipped_at = two_sites.flip()
    eventually(lambda: producer_log(moved).acknowledged[-1].at > flipped_at)
    newcomer, began = write("newcomer", 1_000_000)
    eventually(lambda: any(notice.kind == "fatal" for notice in producer_log(began).notices))
    ended_at = time.time()
    eventually(lambda: producer_log(moved).acknowledged[-1].at > ended_at)
    third, anew = write("third", 2_000_000)
    eventually(lambda: bool(producer_log(anew).acknowledged))
    assert [finish(client) for client in (mover, newcomer, third)] == [True] * 3
    of_newcomer = producer_log(began)
    assert of_newcomer.acknowledged == ()
    ends = {notice.detail.split(" ")[0] for notice in of_newcomer.notices if notice.kind == "fatal"}
    assert ends == {"OUT_OF_ORDER_SEQUENCE_NUMBER"}
    assert {notice.kind for notice in producer_log(moved).notices} <= {"error"}
