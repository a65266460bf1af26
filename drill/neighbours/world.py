"""The neighbours of a world: a process for all of their sites in each region, and their plans in the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from drill import stacks
from drill.fixture_plan import API_KEYS, HOME, HOSTNAME, PLAN, STANDBY, TTL_S
from drill.fleets import Spawn
from drill.ledger_reader import ControllerAccount
from drill.neighbours import plans
from drill.neighbours.ends import PlanEnd
from drill.neighbours.plans import MIRRORS, Aws, Document, Neighbour
from drill.network.certificate import certificate
from drill.process import Child

MODULE: Final = "drill.neighbours.sites"


class Neighbours:
    """Many plans, each with two sites that answer what the controller asks, and with no clients."""

    def __init__(self, count: int, directory: Path) -> None:
        """`count`: of plans, with the drill's own; the files that say whom their clients trust go to the directory."""
        self.plans = plans.neighbours(count)
        directory.mkdir(parents=True, exist_ok=True)
        authority, chain, key = certificate(directory)
        self._authority = directory / "authority.pem"
        self._authority.write_bytes(authority)
        login = dict(zip(("api_key", "api_secret"), API_KEYS[HOME], strict=True))
        self._config: Document = {"chain": str(chain), "key": str(key), **login}
        self._sites: dict[str, Child] = {}

    @property
    def cloud_config(self) -> Document:
        """What the AWS account is told for them: whom functions trust, and whose containers go first."""
        return {
            "function_environment": {"SSL_CERT_FILE": str(self._authority)},
            "plan_ahead": PLAN,
            "plans_aside": [plan.name for plan in self.plans],
        }

    def start(self, spawn: Spawn, nameserver: str, stop_delay_s: float) -> None:
        """Their sites. The ways of their clients begin with the standbys: they outlive the region that is lost."""
        home: Document = {plan.cluster_id(HOME): {} for plan in self.plans}
        self._sites[HOME] = spawn(MODULE, self._config | {"sites": home}, f"neighbours-{HOME}")
        standby = {
            plan.cluster_id(STANDBY): {"link": plan.link, "remote": plan.cluster_id(HOME), "mirrors": MIRRORS}
            for plan in self.plans
        }
        ways = {
            plan.hostname: {
                plan.dns_target(HOME): self._services(plan, HOME)["gateway"],
                plan.dns_target(STANDBY): plan.cluster_id(STANDBY),
            }
            for plan in self.plans
        }
        config = self._config | {"sites": standby, "stop_delay_s": stop_delay_s, "ways": ways, "dns": nameserver}
        self._sites[STANDBY] = spawn(MODULE, config, f"neighbours-{STANDBY}")

    def deploy(self, aws: Aws, zone_id: str, nameserver: str) -> None:
        """Their plans, in the one controller that there is."""
        dns = {"kind": "route53-record", "hosted_zone_id": zone_id, "type": "CNAME", "ttl": TTL_S}
        documents = {
            plan: plan.document(
                {site: self._services(plan, site) for site in (HOME, STANDBY)},
                bootstrap=self._sites[STANDBY].ready["ways"][plan.hostname],
                dns=dns | {"nameservers": [nameserver]},
                vantage_points=stacks.vantage_regions(1),
            )
            for plan in self.plans
        }
        plans.deploy(aws, stacks.ledger(1), zone_id, documents)

    def processes(self, site: str) -> tuple[Child, ...]:
        """What answers for all of their sites in a region."""
        return (self._sites[site],)

    def ends(self, dynamodb: Any, table: str) -> list[PlanEnd]:
        """Where the failover of each plan stands, of the drill's own first."""
        hostnames = {PLAN: HOSTNAME} | {plan.name: plan.hostname for plan in self.plans}
        return [
            PlanEnd(plan=plan, hostname=hostname, execution=ControllerAccount(dynamodb, table, plan).failover())
            for plan, hostname in hostnames.items()
        ]

    def _services(self, plan: Neighbour, site: str) -> dict[str, str]:
        return dict(self._sites[site].ready["sites"][plan.cluster_id(site)])
