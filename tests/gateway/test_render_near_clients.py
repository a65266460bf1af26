"""What is rendered for gateways near the clients leads to the home site at first, in their own region."""

from __future__ import annotations

import json

import pytest
import yaml

from failover.errors import UnknownSite
from failover.plan.model import parse
from gateway.render import render
from gateway.settings import Settings
from tests.fleets_near_clients import near_clients, of_both_sites


def test_a_fleet_near_the_clients_is_rendered_to_lead_home() -> None:
    files = render(parse(json.dumps(near_clients())), Settings(ecs={"frankfurt": {"InstanceCount": 5}}))
    parameters = json.loads(files["gateway-frankfurt.parameters.json"])["Parameters"]
    assert (parameters["Site"], parameters["OtherSite"], parameters["InstanceCount"]) == ("east", "west", "5")
    (route,) = yaml.safe_load(parameters["ConfigToOwnSite"])["gateway"]["routes"]
    assert route["streamingDomain"]["name"] == "east"
    assert {"gateway-frankfurt-to-west.yaml", "gateway-frankfurt-fenced.yaml"} < set(files)


def test_where_both_sites_serve_at_all_times_both_lead_home() -> None:
    files = render(parse(json.dumps(of_both_sites())), Settings())
    for site in ("east", "west"):
        assert json.loads(files[f"gateway-{site}.parameters.json"])["Parameters"]["Site"] == "east"
    of_a_pair = of_both_sites() | {"dns": {"kind": "route53-record", "hosted_zone_id": "Z1"}}
    files = render(parse(json.dumps(of_a_pair)), Settings())
    assert json.loads(files["gateway-west.parameters.json"])["Parameters"]["Site"] == "west"


def test_settings_of_no_location_are_refused() -> None:
    with pytest.raises(UnknownSite, match="paris"):
        render(parse(json.dumps(near_clients())), Settings(ecs={"paris": {"InstanceCount": 5}}))
