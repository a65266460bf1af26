"""Of whom an event speaks decides whose containers it comes to, where some plans give way to another."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from drill.aws.precedence import GIVES_WAY_BY, NICEST, Precedence, give_way

ASIDE = ("neighbour-02", "neighbour-03")


@pytest.mark.parametrize(
    ("event", "gives_way"),
    [
        ({"execution": {"plan": "neighbour-02", "name": "neighbour-02-1-failover"}}, True),
        ({"start": {"plan": "neighbour-03"}}, True),
        ({"detail": {"input": json.dumps({"plan": "neighbour-03"})}}, True),
        ({"observations": [{"plan": "neighbour-02"}, {"plan": "neighbour-03"}]}, True),
        ({"detail": {"why": "kafka.neighbour-02.orders.example.com does not answer"}}, True),
        ({"execution": {"plan": "orders", "name": "orders-1-failover"}}, False),
        ({"observations": [{"plan": "neighbour-02"}, {"plan": "orders"}]}, False),
        ({"detail": {"name": "orders-1-failover", "beside": "neighbour-02"}}, False),
        ({"execution": {"plan": "neighbour-021"}}, False),
        ({"due": "rounds"}, False),
    ],
)
def test_an_event_of_those_alone_that_give_way_gives_way(event: object, gives_way: bool) -> None:
    assert Precedence("orders", ASIDE).gives_way(json.dumps(event).encode()) is gives_way


def test_nobody_gives_way_where_there_is_one_plan() -> None:
    assert not Precedence().gives_way(b'{"plan": "orders"}')


def test_a_process_that_gives_way_is_nicer_than_its_parent() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        before = os.getpriority(os.PRIO_PROCESS, child.pid)
        give_way(child.pid)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == min(NICEST, before + GIVES_WAY_BY)
    finally:
        child.communicate(b"\n")
    give_way(child.pid)
