"""A fleet in two colours: what it is while clients are led from one to the other, and what is done next."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import pytest

from failover.errors import FleetRejected
from failover.fleets import FleetState, Instance
from failover.fleets.blue_green import BlueGreenFleet
from failover.fleets.cfk_blue_green import BlueGreenGateways
from failover.fleets.change_annotation import ANNOTATION, Change, change_of
from failover.plan.fleets import CfkBlueGreenFleet
from tests.failover.test_cfk_gateway import labelled
from tests.failover.test_kubernetes_fleets import FLEET, NOW, spec
from tests.kubernetes_namespace import Namespace

HERE = (Instance(name="a", bootstrap=None),)
WARM = FleetState(target="west", settled=True, instances=HERE, detail="1 of 1", size=1)


@dataclass
class Colour:
    """One, and what is asked of it."""

    now: FleetState
    asked: list[Any] = field(default_factory=list)

    def look(self) -> FleetState:
        return self.now

    def route(self, target: str) -> None:
        self.asked.append(target)

    def scale_to_zero(self) -> None:
        self.asked.append(0)

    def size(self) -> int | None:
        return self.now.size

    def raise_to(self, instances: int) -> None:
        self.asked.append(instances)


@dataclass
class Switch:
    """Which colours have clients, and the instances of the other one that have some still."""

    selected: set[str | None]
    connected: list[str] = field(default_factory=list)
    leads: str = "it leads to"
    turned: list[str] = field(default_factory=list)

    def still_connected_to(self, site: str) -> list[str]:
        assert {site} != self.selected
        return self.connected

    def turn_to(self, site: str) -> None:
        self.turned.append(site)


class Fleet(BlueGreenFleet):
    """One of these."""

    def __init__(self, switch: Switch, west: FleetState = WARM, east: FleetState | None = None) -> None:
        self.colours = {"east": Colour(east or replace(WARM, target="east", size=4)), "west": Colour(west)}
        colours: Any = self.colours
        super().__init__("fleet f", {"east": "blue", "west": "green"}, colours)
        self.switch = switch

    def _switch(self) -> Any:
        return self.switch

    @property
    def asked(self) -> dict[str, list[Any]]:
        return {site: colour.asked for site, colour in self.colours.items() if colour.asked}


LACKING = replace(WARM, settled=False, missing=1)
COLD = replace(WARM, settled=False, missing=2)
STALLED = replace(WARM, settled=False, stalled_because="its last deployment failed")
FENCED = replace(WARM, target="fenced", fence_kind="route")
REFUSED = replace(WARM, settled=False, refused_because="no such secret")


@pytest.mark.parametrize(
    ("switch", "west", "turned", "asked"),
    [
        (Switch({"east"}), replace(WARM, target="east"), [], {"west": ["west"]}),
        (Switch({"east"}), STALLED, [], {"west": ["west"]}),
        (Switch({"east"}), COLD, [], {}),
        (Switch({"east"}), LACKING, ["west"], {}),
        (Switch({"east"}), WARM, ["west"], {}),
        (Switch({"east", "west"}), WARM, ["west"], {}),
        (Switch({None}), WARM, ["west"], {}),
        (Switch({"west"}), WARM, [], {"east": [0]}),
    ],
)
def test_the_next_thing_to_do_is_to_warm_the_colour_up_then_to_turn_then_to_empty_the_other(
    switch: Switch, west: FleetState, turned: list[str], asked: dict[str, list[Any]]
) -> None:
    fleet = Fleet(switch, west)
    fleet.route("west")
    assert (switch.turned, fleet.asked) == (turned, asked)


@pytest.mark.parametrize(
    ("selected", "asked", "refused"),
    [
        ({"east"}, {"east": ["fenced"]}, False),
        ({"east", "west"}, {"east": ["fenced"], "west": ["fenced"]}, False),
        ({"east", None}, {"east": ["fenced"]}, True),
        ({None}, {}, True),
        (set(), {}, True),
    ],
)
def test_a_fence_is_put_before_every_colour_that_has_clients_and_it_is_said_where_that_is_not_all(
    selected: set[str | None], asked: dict[str, list[Any]], refused: bool
) -> None:
    fleet = Fleet(Switch(selected))
    if refused:
        with pytest.raises(FleetRejected, match=r"fleet f can't be fenced: it leads to (.*does not name|nothing)"):
            fleet.route("fenced")
    else:
        fleet.route("fenced")
    assert fleet.asked == asked


def test_a_site_that_the_plan_does_not_name_and_a_refusal_of_its_colour_are_told() -> None:
    with pytest.raises(FleetRejected, match="fleet f has nothing for 'north' in the plan"):
        Fleet(Switch({"east"})).route("north")
    with pytest.raises(FleetRejected, match="no such secret"):
        Fleet(Switch({"east"}), REFUSED).route("west")


def test_the_colour_that_has_all_clients_is_what_the_fleet_is() -> None:
    state = Fleet(Switch({"west"})).look()
    assert (state.target, state.settled, state.size, state.instances) == ("west", True, 1, HERE)
    assert state.detail == "it leads to green: 1 of 1" and state.tier == "blue/green"
    assert Fleet(Switch({"west"}), replace(WARM, target="east")).look().target is None, "a colour of another site"
    fenced = Fleet(Switch({"west"}), FENCED).look()
    assert (fenced.target, fenced.fence_kind) == ("fenced", "route")
    lacking = Fleet(Switch({"west"}), LACKING).look()
    assert (lacking.settled, lacking.missing, lacking.accepts_clients) == (False, 1, True)


@pytest.mark.parametrize("west", [WARM, LACKING])
def test_instances_of_the_previous_colour_that_have_clients_are_to_be_ended_first(west: FleetState) -> None:
    state = Fleet(Switch({"west"}, connected=["b", "c"]), west).look()
    assert (state.target, state.settled, state.missing, state.accepts_clients) == ("west", False, 0, False)
    assert str(state.stalled_because).startswith("b, c of the previous colour still carry connections")
    assert state.detail.endswith(str(state.stalled_because)) and not state.routed_to("west")


def test_a_colour_that_is_stalled_or_fenced_says_so_itself_whoever_is_still_connected() -> None:
    for connected in ([], ["b"]):
        state = Fleet(Switch({"west"}, connected), replace(FENCED, stalled_because="it failed")).look()
        assert (state.target, state.stalled_because) == ("fenced", "it failed")
    assert Fleet(Switch({"west"}), STALLED).look().detail == "it leads to green: 1 of 1; its last deployment failed"


@pytest.mark.parametrize(
    ("selected", "west", "east", "target", "settled"),
    [
        ({"east", "west"}, FENCED, FENCED, "fenced", True),
        ({"east", "west"}, FENCED, replace(FENCED, settled=False), "fenced", False),
        ({"east", "west"}, FENCED, None, None, False),
        ({"east", None}, FENCED, FENCED, None, False),
        ({None}, FENCED, FENCED, None, False),
        (set(), FENCED, FENCED, None, False),
    ],
)
def test_a_fleet_whose_clients_are_led_to_more_than_one_colour_is_fenced_if_all_of_that_is(
    selected: set[str | None], west: FleetState, east: FleetState | None, target: str | None, settled: bool
) -> None:
    state = Fleet(Switch(selected), west, east).look()
    assert (state.target, state.settled, state.size, state.instances) == (target, settled, None, ())
    assert state.fence_kind == ("route" if target else None)
    led = " and ".join(sorted(site or "what the plan does not name" for site in selected)) or "nothing"
    assert state.detail == f"it leads to {led}"


def test_its_size_is_that_of_the_colour_with_all_clients_and_so_is_what_is_raised() -> None:
    fleet = Fleet(Switch({"east"}))
    fleet.raise_to(7)
    assert (fleet.size(), fleet.asked) == (4, {"east": [7]})
    divided = Fleet(Switch({"east", "west"}))
    assert divided.size() is None
    with pytest.raises(FleetRejected, match=r"fleet f can't be raised: it leads to east and west"):
        divided.raise_to(7)


PLANNED = CfkBlueGreenFleet(
    name="gateway-west",
    kind="cfk-blue-green",
    eks=FLEET.eks,
    namespace="kafka",
    service="kafka",
    gateways={"east": "blue", "west": "green"},
    route="orders",
    bootstrap="gw:9092",
    domains=FLEET.domains,
)


def gateways(
    selector: dict[str, str] | None, last: Change | None = None, replicas: Mapping[str, int] = MappingProxyType({})
) -> Namespace:
    """Two Gateways with a pod each, `blue-0` and `green-0`, and the Service before them."""
    things: list[tuple[str, dict[str, Any]]] = []
    for name, site in (("blue", "east"), ("green", "west")):
        made = labelled(f"{name}-0")
        made["metadata"]["labels"] = {"app": name, "platform.confluent.io/type": "gateway"}
        of_gateway = spec(site, replicas=replicas.get(name, 1))
        status = {"observedGeneration": 1}
        metadata = {"name": name, "generation": 1, "resourceVersion": "1"}
        things += [("gateways", {"metadata": metadata, "spec": of_gateway, "status": status}), ("pods", made)]
    annotations = {ANNOTATION: json.dumps(last.__dict__)} if last is not None else {}
    service = {"metadata": {"name": "kafka", "generation": 1, "resourceVersion": "1", "annotations": annotations}}
    of_service = {"spec": {} if selector is None else {"selector": selector}}
    return Namespace(*things, ("services", service | of_service))


def selected(api: Namespace) -> Any:
    return api.objects["services", "kafka"]["spec"].get("selector")


@pytest.mark.parametrize(
    ("selector", "before"),
    [
        ({"app": "blue", "type": "gateway"}, ("uid-blue-0",)),
        ({"app": "purple"}, ()),
        ({"type": "x"}, ()),
        ({}, ()),
        (None, ()),
    ],
)
def test_the_selector_is_turned_by_one_patch_that_keeps_which_pods_had_the_clients(
    selector: dict[str, str] | None, before: tuple[str, ...]
) -> None:
    api = gateways(selector)
    began = time.time()
    BlueGreenGateways(PLANNED, "us-west-2", api)._switch().turn_to("west")
    assert selected(api) == {**(selector or {}), "app": "green"}
    last = change_of(api.objects["services", "kafka"])
    assert last is not None and began - 1 <= last.at <= time.time() + 1
    assert (last.to, last.tier, last.before) == ("west", "blue/green", before)
    tested = [operation for operation in api.patches[0][1] if operation["op"] == "test"]
    known = (selector or {}).get("app")
    assert tested == ([{"op": "test", "path": "/spec/selector/app", "value": known}] if known else [])


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ({"app": "blue"}, {"east"}),
        ({"app": "green"}, {"west"}),
        ({"app": "purple"}, {None}),
        ({}, {None}),
        (None, {None}),
    ],
)
def test_the_selector_leads_to_the_site_of_the_gateway_it_names(
    selector: dict[str, str] | None, selects: set[str | None]
) -> None:
    assert BlueGreenGateways(PLANNED, "us-west-2", gateways(selector))._switch().selected == selects


def turned(**more: Any) -> Change:
    fields: dict[str, Any] = {"id": "1", "to": "west", "tier": "blue/green", "at": NOW, "before": ("uid-blue-0",)}
    return Change(**fields | more)


@pytest.mark.parametrize(
    ("selector", "last", "pod", "connected"),
    [
        ("green", turned(), {}, ["blue-0"]),
        ("green", turned(before=("uid-of-another",)), {}, []),
        ("green", turned(), {"phase": "Failed"}, []),
        ("green", None, {}, []),
        ("blue", turned(), {}, []),
        ("green", turned(to="east"), {}, []),
    ],
)
def test_pods_that_were_there_when_the_selector_was_turned_away_have_clients_until_they_are_gone(
    selector: str, last: Change | None, pod: dict[str, Any], connected: list[str]
) -> None:
    api = gateways({"app": selector}, last)
    api.objects["pods", "blue-0"]["status"] |= pod
    assert BlueGreenGateways(PLANNED, "us-west-2", api)._switch().still_connected_to("east") == connected


@pytest.mark.parametrize(
    ("selector", "cold", "found"),
    [
        ("blue", {"green": 0}, ["gateway green of service kafka in namespace kafka of EKS cluster"]),
        ("green", {"green": 0}, []),
        ("blue", {"blue": 0}, []),
        ("purple", {"blue": 0, "green": 0}, ["gateway blue", "gateway green"]),
        ("blue", {}, []),
    ],
)
def test_a_colour_that_is_not_warm_is_found_unless_clients_are_led_to_it(
    selector: str, cold: dict[str, int], found: list[str]
) -> None:
    fleet = BlueGreenGateways(PLANNED, "us-west-2", gateways({"app": selector}, None, cold))
    told = [obstacle.what for obstacle in fleet.obstacles()]
    assert len(told) == len(found) and all(words in what for words, what in zip(found, told, strict=True))
    assert all("is not warm: scaled to zero" in what for what in told)
