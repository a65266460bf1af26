"""What `gateway/` renders for a fleet, a container of the stand-in starts with: every strategy, login and target."""

from __future__ import annotations

from pathlib import Path

import pytest

from drill.gateway.config import parse
from drill.gateway.route import route_of
from drill.network.certificate import certificate
from gateway.config import CLUSTER_LOGIN_TEMPLATE, gateway_config, listening_ports, targets
from gateway.render import as_yaml
from gateway.settings import FILES, PUBLIC_AUTHORITIES, Settings

from failover.plan.model import load_plan  # isort: skip

PLAN = load_plan(Path(__file__).parents[3] / "plans" / "orders.yaml")
HOST = PLAN.bootstrap.partition(":")[0]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that a container has mounted."""
    directory = tmp_path_factory.mktemp("files")
    authority, chain, key = certificate(directory)
    (directory / "authorities.pem").write_bytes(authority)
    (directory / "keystore.pem").write_bytes(key.read_bytes() + chain.read_bytes())
    (directory / "clients.jaas.conf").write_text('PlainLoginModule required user_alice="a";')
    (directory / "cluster.jaas.conf").write_text(CLUSTER_LOGIN_TEMPLATE)
    return directory


@pytest.mark.parametrize("strategy", ["port", "host"])
@pytest.mark.parametrize("auth", ["passthrough", "swap"])
def test_every_rendered_configuration_is_served(files: Path, strategy: str, auth: str) -> None:
    settings = Settings.model_validate({"strategy": strategy, "auth": auth})
    for site in PLAN.sites:
        for target in targets(PLAN):
            config = gateway_config(PLAN, site, target, settings)
            text = as_yaml(config).replace(PUBLIC_AUTHORITIES, str(files / "authorities.pem"))
            gateway = parse(text.replace(FILES, str(files)))
            (route,) = (route_of(gateway, each) for each in gateway.routes)
            assert len(route.ports) == len(listening_ports(config))
            node = route.advertise(1)
            assert node == ((HOST, 9094) if strategy == "port" else (f"broker-1.{HOST}", 9092))
