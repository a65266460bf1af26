"""A wish to abort an execution, and its point of no return: of both, one is first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.aws.clients import client
from failover.errors import AbortRefused, AbortRequested, LeaseLost
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from tests.failover.test_ledger import execution


@pytest.fixture
def ledger(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def switchover(epoch: int = 1) -> Execution:
    return execution(epoch, f"orders-{epoch}-switchover").model_copy(update={"kind": "switchover"})


def test_a_wish_to_abort_is_heard_by_its_execution_alone_until_the_point_of_no_return(ledger: Ledger) -> None:
    ledger.claim(switchover(), "east")
    ledger.hold(switchover(), may_be_aborted=True)
    ledger.request_abort("orders", "orders-1-switchover", "anna", "the wrong plan")
    ledger.hold(switchover())
    with pytest.raises(AbortRequested, match=r"anna .* the wrong plan"):
        ledger.hold(switchover(), may_be_aborted=True)
    with pytest.raises(AbortRequested):
        ledger.pass_no_return(switchover())
    ledger.conclude(switchover(), "stood-down", {})
    ledger.claim(switchover(2), "east")
    ledger.hold(switchover(2), may_be_aborted=True)
    ledger.pass_no_return(switchover(2))


def test_of_an_abort_and_the_point_of_no_return_one_is_first(ledger: Ledger) -> None:
    ledger.claim(switchover(), "east")
    ledger.pass_no_return(switchover())
    ledger.pass_no_return(switchover())
    with pytest.raises(AbortRefused, match="point of no return"):
        ledger.request_abort("orders", "orders-1-switchover", "anna", "too late")
    ledger.hold(switchover(), may_be_aborted=True)
    ledger.take_back_no_return(switchover())
    ledger.request_abort("orders", "orders-1-switchover", "anna", "in time")
    with pytest.raises(LeaseLost):
        ledger.pass_no_return(switchover(2))


def test_a_failover_has_no_way_back_and_what_holds_nothing_is_not_aborted(ledger: Ledger) -> None:
    with pytest.raises(AbortRefused):
        ledger.request_abort("orders", "orders-1-switchover", "anna", "is not there")
    ledger.claim(execution(), "east")
    with pytest.raises(AbortRefused, match="forward only"):
        ledger.request_abort("orders", "orders-1-failover", "anna", "no")
    ledger.conclude(execution(), "succeeded", {})
    ledger.claim(switchover(2).model_copy(update={"from_site": "west", "to_site": "east"}), "east")
    ledger.conclude(switchover(2).model_copy(update={"from_site": "west", "to_site": "east"}), "succeeded", {})
    assert len(ledger.state("orders", "east").failovers) == 1, "a switchover counts against no limit of failovers"
    with pytest.raises(AbortRefused, match="does not hold the lease"):
        ledger.request_abort("orders", "orders-2-switchover", "anna", "is over")
