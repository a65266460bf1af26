"""AWS throttles from any call on: whoever is called then fails by a name that the state machine calls again after, and
once AWS answers again it ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from failover.aws.clients import client
from failover.container import forget
from failover.errors import FailoverStopped
from failover.ledger.ledger import Ledger
from statemachines.blocks import TRANSIENT

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
SERVICES: tuple[str, ...] = ("dynamodb", "sns", "events", "secretsmanager", "stepfunctions")


class Throttle:
    """Refuses every call to AWS, or to one service, from the nth on."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.calls = 0
        self.services = SERVICES

    def start(self, after: int, *services: str) -> None:
        self.left, self.calls, self.services = after, 0, services or SERVICES

    def end(self) -> None:
        self.left = None

    def __call__(self, model: Any, **_: Any) -> None:
        if self.left is None or model.service_model.service_name not in self.services:
            return
        self.calls += 1
        if self.calls > self.left:
            error = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}
            raise ClientError(error, model.name)  # type: ignore[arg-type]


@pytest.fixture
def throttle(deployed: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Throttle]:
    throttle, make = Throttle(), botocore.session.Session.create_client

    def client(self: Any, service: str, *args: Any, **kwargs: Any) -> Any:
        made = make(self, service, *args, **kwargs)
        made.meta.events.register("before-call", throttle)
        return made

    monkeypatch.setattr(botocore.session.Session, "create_client", client)
    forget()
    yield throttle
    throttle.end()
    forget()


def start(**more: Any) -> dict[str, Any]:
    return {"start": {"plan": "orders", "to": "west", "epoch": 1} | more, "execution_name": "orders-1-failover"}


def ledger() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def until_throttled(call: Call, throttle: Throttle, function: str, event: dict[str, Any], n: int) -> bool:
    """Call in a cold container that is throttled from its nth call on, and, if that ended it, once more without; says
    whether it was."""
    forget()
    throttle.start(after=n)
    try:
        call(function, event)
    except FailoverStopped:
        return False
    except Exception as error:
        assert type(error).__name__ in TRANSIENT, f"{function}, throttled from call {n + 1} on: {error!r}"
    else:
        return False
    finally:
        throttle.end()
    forget()
    return True


STEPS: dict[str, dict[str, Any]] = {
    "assess": {},
    "request_approval": {"task_token": "token", "assessed": {"why": "", "evidence": {}}},
    "fence": {},
    "promote_mirrors": {},
    "check_offsets": {},
    "create_groups": {},
    "switch_routes": {"site": "west", "fleet": "gateway-west"},
    "flip_dns": {},
    "verify": {},
    "conclude": {"outcome": "succeeded"},
    "announce": {},
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_is_throttled_from_its_first_call_on_is_called_again(
    deployed: Any, call: Call, throttle: Throttle, name: str
) -> None:
    execution = call("claim", start())["execution"]
    assert until_throttled(call, throttle, name, {"execution": execution, **STEPS[name]}, 0)


def test_a_claim_that_is_throttled_at_any_call_is_the_same_claim_when_it_is_called_again(
    deployed: Any, call: Call, throttle: Throttle
) -> None:
    n, answers = 0, []
    while until_throttled(call, throttle, "claim", start(), n):
        answers.append(call("claim", start())["execution"])
        n += 1
    assert n > 4, "it calls AWS more often than that"
    assert all((each["name"], each["epoch"]) == ("orders-1-failover", 1) for each in answers)
    assert (ledger().state("orders", "east").epoch, ledger().state("orders", "east").holder) == (1, "orders-1-failover")


@pytest.mark.parametrize("outcome", ["succeeded", "stood-down", "failed"])
def test_an_end_that_is_throttled_at_any_call_ends_as_without_it(
    deployed: Any, call: Call, throttle: Throttle, messages: Callable[[], list[Any]], outcome: str
) -> None:
    event = {"execution": call("claim", start())["execution"], "outcome": outcome, "why": "no vote stands"}
    n = 0
    while until_throttled(call, throttle, "conclude", event, n):
        n += 1
    assert n > 4, "it calls AWS more often than that"
    state, record = ledger().state("orders", "east"), ledger().execution("orders", "orders-1-failover")
    assert record is not None and record.status == outcome
    assert (state.active, state.holder is None) == {
        "succeeded": ("west", True),
        "stood-down": ("east", True),
        "failed": ("east", False),
    }[outcome]


def test_a_telling_that_is_throttled_at_any_call_tells(
    deployed: Any, call: Call, throttle: Throttle, messages: Callable[[], list[Any]]
) -> None:
    execution = call("claim", start())["execution"]
    call("conclude", {"execution": execution, "outcome": "stood-down", "why": "no vote stands"})
    n = 0
    while until_throttled(call, throttle, "announce", {"execution": execution}, n):
        n += 1
    assert n > 2, "it calls AWS more often than that"
    assert messages()
