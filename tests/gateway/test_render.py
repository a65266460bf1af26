"""The command, and that the templates run what it writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import CLIENT_LOGINS, CLUSTER_LOGIN, CLUSTER_LOGIN_TEMPLATE, listening_ports
from gateway.settings import Settings
from tests.gateway.schema import GatewayFile

ROOT = Path(__file__).resolve().parent.parent.parent
PLAN = ROOT / "plans" / "orders.yaml"
CONFIGS = {f"gateway-{site}-{target}.yaml" for site in ("east", "west") for target in ("to-east", "to-west", "fenced")}


def rendered(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What the command prints, in a process of its own at the repository's root."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/failover/python"}
    command = [sys.executable, "-m", "command", "render", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_command_writes_a_configuration_for_each_fleet_and_target(tmp_path: Path) -> None:
    out = tmp_path / "new" / "directory"
    result = rendered(PLAN, "--out", out)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in out.glob("*.yaml")} == {*CONFIGS, "alarms.yaml", "ecs.yaml"}
    assert (out / "ecs.yaml").read_text() == (ROOT / "gateway" / "ecs.yaml").read_text()
    for name in CONFIGS:
        GatewayFile.model_validate(yaml.safe_load((out / name).read_text()))
    before = {path.name: path.read_text() for path in out.iterdir()}
    assert rendered(PLAN, "--out", out).returncode == 0
    assert {path.name: path.read_text() for path in out.iterdir()} == before


def test_a_bad_plan_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(PLAN.read_text().replace("home: east", "home: north").replace("bootstrap: pkc-west01", "boot: pkc"))
    out = tmp_path / "out"
    result = rendered(bad, "--out", out)
    assert result.returncode == 2
    assert "sites.west.kafka.boot" in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "nowhere.yaml: No such file or directory"),
        ([PLAN, "--endpoint", "localhost"], "--endpoint must be host:port, not 'localhost'"),
        ([PLAN, "--settings", "nowhere.yaml"], "can't read the settings nowhere.yaml"),
    ],
)
def test_what_can_not_be_used_is_named(arguments: list[str | Path], message: str, tmp_path: Path) -> None:
    result = rendered(*arguments, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_compose_mounts_what_is_rendered(tmp_path: Path) -> None:
    assert rendered(PLAN, "--out", tmp_path, "--endpoint", "localhost:9092").returncode == 0
    service = yaml.safe_load((ROOT / "gateway" / "compose.yaml").read_text())["services"]["gateway"]
    mounts = dict(volume.removesuffix(":ro").rsplit(":", 1) for volume in service["volumes"])
    source = {target: path for path, target in mounts.items()}[service["environment"]["GATEWAY_CONFIG_FILE"]]
    name = _with_defaults(source).removeprefix("./rendered/")
    config = yaml.safe_load((tmp_path / name).read_text())
    published = {int(port.rpartition(":")[2]) for port in service["ports"]}
    assert published == {*listening_ports(config), config["gateway"]["admin"]["port"]}
    keystore = Path(config["gateway"]["routes"][0]["security"]["ssl"]["keystore"]["location"])
    assert str(keystore.parent) in mounts.values()


def test_ecs_parameters_are_those_of_the_template(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    place = {
        "VpcId": "vpc-1",
        "SubnetIds": "subnet-1,subnet-2,subnet-3",
        "LoadBalancerSubnetIds": "subnet-1,subnet-2,subnet-3",
        "ClientCidr": "10.0.0.0/8",
        "MinimumTasks": 6,
    }
    options = {"auth": "swap", "node_ids": [0, 3], "ecs": {"east": place, "west": dict(place)}}
    settings.write_text(yaml.safe_dump({"gateway": options}))
    assert rendered(PLAN, "--out", tmp_path, "--settings", settings).returncode == 0
    declared = _template()["Parameters"]
    for site in ("east", "west"):
        given = json.loads((tmp_path / f"gateway-{site}.parameters.json").read_text())["Parameters"]
        assert given.keys() <= declared.keys()
        assert {name for name, each in declared.items() if "Default" not in each} <= given.keys()
        assert all(isinstance(value, str) and len(value) <= 4096 for value in given.values())  # CloudFormation's limits
        assert given["ConfigToOtherSite"] == (tmp_path / f"gateway-{site}-to-{given['OtherSite']}.yaml").read_text()
        assert [given[f"Port{n}"] for n in range(5)] == ["9092", "9093", "9094", "9095", "9096"]
        assert given["LastPort"] == "9096"


def test_a_login_by_oauth_names_the_cluster_that_the_route_leads_to(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    pools = {"east": "pool-e", "west": "pool-w"}
    oauth = {"token_endpoint": "https://idp.example.com/token", "identity_pools": pools}
    settings.write_text(yaml.safe_dump({"gateway": {"auth": "swap", "oauth": oauth}}))
    assert rendered(PLAN, "--out", tmp_path, "--settings", settings).returncode == 0
    for site in ("east", "west"):
        given = json.loads((tmp_path / f"gateway-{site}.parameters.json").read_text())["Parameters"]
        for name, target in (("ToOwnSite", site), ("ToOtherSite", given["OtherSite"]), ("Fenced", site)):
            login = given[f"ClusterLogin{name}"]
            assert login.count('"%s"') == 2 and login.endswith(";")
            assert f'extension_identityPoolId="{pools[target]}"' in login
            assert login == (tmp_path / f"cluster-{target}.jaas.conf").read_text().strip()
        assert "allowed.urls=https://idp.example.com/token" in given["GatewayOpts"]
    config = yaml.safe_load((tmp_path / "gateway-east-to-west.yaml").read_text())
    sasl = config["gateway"]["routes"][0]["security"]["swapConfig"]["clusterAuth"]["sasl"]
    assert (sasl["mechanism"], sasl["oauth"]["tokenEndpointUri"]) == ("OAUTHBEARER", oauth["token_endpoint"])
    GatewayFile.model_validate(config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"oauth": {"token_endpoint": "https://idp/token"}}, "swap logins"),
        (
            {"auth": "swap", "oauth": {"token_endpoint": "https://idp/token", "identity_pools": {"east": "pool-e"}}},
            "a pool for each site",
        ),
        (
            {
                "auth": "swap",
                "oauth": {"token_endpoint": "https://idp/token", "jwks_endpoint": "https://idp/keys", "audience": "a"},
            },
            "documented on Kubernetes only",
        ),
        ({"auth": "swap", "oauth": {"token_endpoint": "idp"}}, "gateway.oauth.token_endpoint"),
    ],
)
def test_an_oauth_that_can_not_be_is_said(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({"gateway": options}))
    result = rendered(PLAN, "--out", tmp_path / "out", "--settings", settings)
    assert result.returncode == 2 and message in result.stderr and "Traceback" not in result.stderr


def test_more_ports_than_ecs_takes_are_said_and_no_parameters_written(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("gateway: {node_ids: [0, 11]}\n")
    out = tmp_path / "out"
    result = rendered(PLAN, "--out", out, "--settings", settings)
    assert result.returncode == 0
    assert "an ECS service takes 5 ports" in result.stdout
    assert {path.name for path in out.iterdir()} == {*CONFIGS, "alarms.yaml", "ecs.yaml"}


@pytest.mark.slow
def test_the_template_passes_cfn_lint() -> None:
    lint = pytest.importorskip("cfnlint.api")
    assert [str(match) for match in lint.lint_file(ROOT / "gateway" / "ecs.yaml")] == []


@pytest.mark.parametrize(("shifts", "zonal", "cut"), [("on", "true", "false"), ("off", "false", "true")])
def test_a_zonal_shift_is_a_choice_that_costs_the_cut_of_connections_to_unhealthy_tasks(
    shifts: str, zonal: str, cut: str
) -> None:
    template = _template()
    assert template["Parameters"]["ZonalShift"]["Default"] == "off"
    assert template["Conditions"]["ShiftsZones"] == {"Fn::Equals": [{"Ref": "ZonalShift"}, "on"]}

    def set_to(attributes: list[dict[str, Any]]) -> dict[str, Any]:
        chosen = {each["Key"]: each["Value"] for each in attributes}
        return {
            key: value["Fn::If"][1 if shifts == "on" else 2] if isinstance(value, dict) and "Fn::If" in value else value
            for key, value in chosen.items()
        }

    resources = template["Resources"]
    balancer = set_to(resources["LoadBalancer"]["Properties"]["LoadBalancerAttributes"])
    assert balancer["zonal_shift.config.enabled"] == zonal
    for name in ("TargetGroups", "OtherTargetGroups"):
        (group,) = resources[f"Fn::ForEach::{name}"][2].values()
        attributes = set_to(group["Properties"]["TargetGroupAttributes"])
        assert attributes["target_health_state.unhealthy.connection_termination.enabled"] == cut
        assert attributes["deregistration_delay.connection_termination.enabled"] == "true"


def test_the_service_replaces_all_tasks_at_once_and_never_rolls_back() -> None:
    deployment = _template()["Resources"]["Service"]["Properties"]["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (0, 200)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": False, "Rollback": False}


def test_a_task_carries_its_targets_configuration_and_the_files_that_it_names() -> None:
    template = _template()
    identifier, names, body = template["Resources"]["Fn::ForEach::TaskDefinitions"]
    definition = body["TaskDefinition${To}"]["Properties"]
    gateway, (_, files, _) = (each.get("Fn::If", each) for each in definition["ContainerDefinitions"])
    config, _ = gateway["Environment"]
    assert config == {"Name": "GATEWAY_CONFIG", "Value": {"Ref": {"Fn::Sub": "Config${To}"}}}
    families = dict(zip(names, definition["Family"]["Fn::Select"][1], strict=True))
    assert families == {
        "ToOwnSite": {"Fn::Sub": "${Fleet}-to-${Site}"},
        "ToOtherSite": {"Fn::Sub": "${Fleet}-to-${OtherSite}"},
        "Fenced": {"Fn::Sub": "${Fleet}-fenced"},
    }
    order = [template["Mappings"]["TaskDefinitions"][name]["Index"] for name in names]
    assert (identifier, order) == ("To", ["0", "1", "2"])
    written = re.findall(r"> (\S+)", files["Command"][0])
    wanted = (Settings().keystore, CLIENT_LOGINS, CLUSTER_LOGIN)
    assert [f"{files['MountPoints'][0]['ContainerPath']}/{name}" for name in written] == list(wanted)
    (login,) = files["Environment"]
    assert login == {"Name": "CLUSTER", "Value": {"Ref": {"Fn::Sub": "ClusterLogin${To}"}}}
    defaults = {template["Parameters"][f"ClusterLogin{name}"]["Default"] for name in names}
    assert defaults == {CLUSTER_LOGIN_TEMPLATE.strip()}


def test_at_least_three_tasks_run() -> None:
    template = _template()
    assert template["Parameters"]["MinimumTasks"]["MinValue"] == 3
    assert template["Resources"]["ScalableTarget"]["Properties"]["MinCapacity"] == {"Ref": "MinimumTasks"}


@pytest.mark.parametrize("colour", ["", "Other"])
def test_every_port_has_a_listener_and_a_target_group_that_cuts_connections(colour: str) -> None:
    resources = _template()["Resources"]
    _, ports, groups = resources[f"Fn::ForEach::{colour}TargetGroups"]
    group = groups[f"{colour}TargetGroup${{Index}}"]
    attributes = {each["Key"]: each["Value"] for each in group["Properties"]["TargetGroupAttributes"]}
    assert attributes["deregistration_delay.connection_termination.enabled"] == "true"
    checks = [group["Properties"][f"HealthCheck{what}"] for what in ("Protocol", "Port", "Path")]
    assert checks == ["HTTP", "9190", "/livez"]
    _, listened, listeners = resources["Fn::ForEach::PortListeners"]
    assert ports == listened == ["0", "1", "2", "3", "4"]
    listener = listeners["Listener${Index}"]
    assert listener["Properties"]["Port"] == group["Properties"]["Port"] == {"Ref": {"Fn::Sub": "Port${Index}"}}
    assert listener["Condition"] == {"Fn::Sub": "HasPort${Index}"}
    assert group["Condition"] == {"Fn::Sub": ("BlueGreenPort" if colour else "HasPort") + "${Index}"}
    _, both, _ = listener["Properties"]["DefaultActions"]["Fn::If"]
    forwarded = {
        each["TargetGroupArn"]["Ref"]["Fn::Sub"]: each["Weight"]["Fn::If"]
        for each in both[0]["ForwardConfig"]["TargetGroups"]
    }
    assert forwarded == {
        "TargetGroup${Index}": ["LedToOther", 0, 100],
        "OtherTargetGroup${Index}": ["LedToOther", 100, 0],
    }


def test_a_fleet_in_two_colours_has_a_service_for_each_site(tmp_path: Path) -> None:
    document = yaml.safe_load(PLAN.read_text())
    for site in document["sites"].values():
        fleet = site["fleets"][0]
        name = fleet.pop("service")
        listener = f"arn:aws:elasticloadbalancing:{site['region']}:123456789012:listener/net/{name}/0a/0b"
        services = {each: f"{name}-to-{each}" for each in document["sites"]}
        fleet.update(kind="ecs-blue-green", services=services, listeners=[listener])
    plan = tmp_path / "orders.yaml"
    plan.write_text(yaml.safe_dump(document))
    result = rendered(plan, "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    given = json.loads((tmp_path / "gateway-west.parameters.json").read_text())["Parameters"]
    assert (given["ServiceName"], given["OtherServiceName"]) == ("gateway-west-to-west", "gateway-west-to-east")
    resources = _template()["Resources"]
    routed = {name: resources[name]["Properties"]["TaskDefinition"] for name in ("Service", "OtherService")}
    assert routed["OtherService"] == {"Ref": "TaskDefinitionToOtherSite"}
    assert routed["Service"]["Fn::If"][1] == {"Ref": "TaskDefinitionToOwnSite"}
    for colour in ("", "Other"):
        deployment = resources[f"{colour}Service"]["Properties"]["DeploymentConfiguration"]
        assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (0, 200)
        assert resources[f"{colour}ScalableTarget"]["Properties"]["MinCapacity"] == {"Ref": "MinimumTasks"}


def test_no_role_reads_more_secrets_than_its_own() -> None:
    resources = _template()["Resources"]
    roles = [resources["ExecutionRole"], resources["TaskRole"]]
    assert not any("ManagedPolicyArns" in role["Properties"] for role in roles)
    for statement in (statements := list(_statements(roles))):
        assert statement["Resource"] != "*" or statement["Action"] == "ecr:GetAuthorizationToken"
        assert not any("*" in action for action in statement["Action"])
    assert len(statements) == 5


def _template() -> dict[str, Any]:
    """The template, its short forms as `{name: value}`."""

    class Loader(yaml.SafeLoader):
        pass

    def function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
        name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
        if isinstance(node, yaml.ScalarNode):
            return {name: loader.construct_scalar(node)}
        if isinstance(node, yaml.SequenceNode):
            return {name: loader.construct_sequence(node, deep=True)}
        return {name: loader.construct_mapping(node, deep=True)}  # type: ignore[arg-type]

    Loader.add_multi_constructor("!", function)
    document: dict[str, Any] = yaml.load((ROOT / "gateway" / "ecs.yaml").read_text(), Loader=Loader)
    return document


def _statements(part: Any) -> Any:
    if isinstance(part, dict):
        if "Action" in part and "Resource" in part:
            yield part
        for value in part.values():
            yield from _statements(value)
    elif isinstance(part, list):
        for value in part:
            yield from _statements(value)


def _with_defaults(text: str) -> str:
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
