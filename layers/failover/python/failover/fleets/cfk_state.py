"""What a Gateway resource of Confluent for Kubernetes, its Deployment and its pods say together. No I/O.

The operator's word is not enough: a patch that changes nothing bumps no generation, the Deployment looks healthy while
the operator refuses, its conditions go stale, and without an Enterprise licence it reports a hot reload that no pod has
done. So an instance counts as routed only by what it says itself on `/config`, under an id that certifies the route it
was made for; or, where images know no id, because it was not there before the change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from failover.errors import FleetRejected
from failover.fleets import FenceKind, Instance
from failover.fleets.change_annotation import (
    Change,
    annotations_of,
    change_of,
    conditions_of,
    is_new,
    observed_generation,
    since,
)
from failover.fleets.kubernetes import Object
from failover.fleets.metrics import SERVING, RouteMetrics, parse_metrics
from failover.fleets.pods import bootstrap_of, has_variable, is_ready, replicas_of, started_at, zone_of
from failover.fleets.rollout import Refusal, Rollout
from failover.plan.fleets import CfkFleet
from failover.plan.gateway_route import certifies, extension_headers, hot_reload, is_fenced
from failover.plan.model import FENCED

HOT_RELOAD, ROLL, REPLACE = "hot reload", "roll", "replace"
HOT_RELOAD_STATUS: Final = "platform.confluent.io/hot-reload-status"
BLOCKED: Final = "platform.confluent.io/block-reconcile"
LICENCE: Final = "GATEWAY_LICENSES"
REFUSED_AFTER_S: Final = 30
"""How long a failure must stand to be taken for the operator's answer; it may fail for a moment, and try again."""


@dataclass(frozen=True, kw_only=True)
class PodAnswer:
    """What a pod says of itself."""

    knows_ids: bool | None = None
    """Whether it has `/config`; None if it did not answer."""
    config_id: str | None = None
    state: str | None = None
    """Of its route, if its metrics tell."""
    auth_failures: int | None = None
    """Of swaps, if its metrics tell."""


def parse_answer(config: tuple[int, bytes], metrics: tuple[int, bytes], route: str) -> PodAnswer:
    """What the answers to `/config` and `/metrics` say."""
    tells = parse_metrics(metrics[1], route) if metrics[0] == 200 else RouteMetrics()
    state, failures = tells.state, tells.auth_failures
    if config[0] == 404:
        return PodAnswer(knows_ids=False, config_id=None, state=state, auth_failures=failures)
    try:
        document = json.loads(config[1]) if config[0] == 200 else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return PodAnswer(knows_ids=None, config_id=None, state=state, auth_failures=failures)
    config_id = document.get("configId")
    return PodAnswer(
        knows_ids=True, config_id=config_id if isinstance(config_id, str) else None, state=state, auth_failures=failures
    )


@dataclass(frozen=True, kw_only=True)
class View(Rollout):
    """One look at a fleet."""

    fleet: CfkFleet
    gateway: Object
    answers: Mapping[str, PodAnswer]

    @property
    def spec(self) -> dict[str, Any]:
        """The Gateway's."""
        return dict(self.gateway.get("spec") or {})

    @cached_property
    def index(self) -> int:
        """Where the plan's route stands among the Gateway's.

        Raises:
            FleetRejected: if it is not there.
        """
        names = [route.get("name") for route in self.spec.get("routes", [])]
        if self.fleet.route not in names:
            raise FleetRejected(f"gateway {self.fleet.gateway} has no route {self.fleet.route!r}; it has {names}")
        return names.index(self.fleet.route)

    @property
    def route(self) -> dict[str, Any]:
        """The plan's route."""
        return dict(self.spec["routes"][self.index])

    @property
    def is_dynamic(self) -> bool:
        """Whether it leads each topic elsewhere by rules of its own: what a failover would change is then no target."""
        return self.route.get("mode") == "dynamic" or "rules" in self.route

    @property
    def scaled_to_zero(self) -> bool:
        """Whether it shall have no instance."""
        return self.replicas == 0

    @property
    def replicas(self) -> int:
        """How many instances there shall be."""
        return replicas_of(self.gateway)

    @cached_property
    def target(self) -> str | None:
        """Where the Gateway's spec leads to."""
        if self.scaled_to_zero or is_fenced(self.route):
            return FENCED
        if self.is_dynamic:
            return None
        to = self.route.get("streamingDomain") or {}
        leads = (to.get("name"), to.get("bootstrapServerId"))
        store = (self.route.get("security") or {}).get("secretStore")
        headers = extension_headers(self.route).items()
        for site, domain in self.fleet.domains.items():
            of_domain = (domain.name, domain.bootstrap_server_id) == leads and domain.secret_store in (None, store)
            if of_domain and domain.extension_headers.items() <= headers:
                return site
        return None

    @property
    def fence_kind(self) -> FenceKind | None:
        """How it is fenced."""
        if self.target != FENCED:
            return None
        return "scaled to zero" if self.scaled_to_zero else "route"

    @cached_property
    def change(self) -> Change | None:
        """The controller's last change, if that is what the spec still says."""
        change = change_of(self.gateway)
        return change if change is not None and change.to == self.target else None

    @cached_property
    def tier(self) -> str:
        """How a change reaches the instances: found by what they can do, not by what the spec asks for."""
        if not hot_reload(self.spec):
            return ROLL
        ready = [pod for pod in self.pods if is_ready(pod)]
        licensed = all(has_variable(pod, LICENCE) for pod in ready)
        knows_ids = all(self.answers[pod["metadata"]["name"]].knows_ids is not False for pod in ready)
        return HOT_RELOAD if licensed and knows_ids else REPLACE

    @property
    def accepted(self) -> bool:
        """Whether the operator has seen the present spec."""
        return observed_generation(self.gateway.get("status")) >= int(self.gateway["metadata"]["generation"])

    @property
    def promoted(self) -> bool:
        """Whether a new pod would start with the present spec: no canary is under way, or has failed."""
        return self.accepted and all(it.get("status") == "True" for it in self._reloads)

    @property
    def _reloads(self) -> list[Mapping[str, Any]]:
        return [it for it in conditions_of(self.gateway) if it.get("type") == HOT_RELOAD_STATUS]

    @property
    def blocked(self) -> bool:
        """Whether the operator was told to leave the Gateway alone."""
        return is_blocked(self.gateway)

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """The pods that clients may be connected to, and what is proven of each."""
        port = int(str(self.route["endpoint"]).rpartition(":")[2])
        return tuple(
            Instance(
                name=pod["metadata"]["name"],
                bootstrap=bootstrap_of(pod, port) if is_ready(pod) else None,
                zone=zone_of(pod),
                config_id=self.answers[pod["metadata"]["name"]].config_id,
                proof=self.proof(pod),
                auth_failures=self.answers[pod["metadata"]["name"]].auth_failures,
            )
            for pod in self.carrying
        )

    @property
    def certified(self) -> bool:
        """Whether the Gateway's configId was made for the route it has."""
        return certifies(str(self.spec.get("configId")), self.spec, self.index)

    @property
    def has_no_ids(self) -> bool:
        """Whether pods reload and can't say what: `hotReload` is on, and the definition has no `configId`."""
        return hot_reload(self.spec) and self.spec.get("configId") is None

    def proof(self, pod: Object) -> str | None:
        """Why a pod is held to run the present spec; None if it is not."""
        answer = self.answers[pod["metadata"]["name"]]
        if answer.state not in (None, SERVING):
            return None
        if self.certified and answer.knows_ids is not False:
            return f"reports {answer.config_id}" if answer.config_id == self.spec["configId"] else None
        if self.has_no_ids:
            return self._proof_by_age(pod)
        if hot_reload(self.spec) and answer.knows_ids is not False:
            return None
        if self.change is None:
            return "is of the Deployment's present template" if not hot_reload(self.spec) else None
        return "was not there before the change" if pod["metadata"]["uid"] not in self.change.before else None

    def _proof_by_age(self, pod: Object) -> str | None:
        """Why a pod started with the present configuration: it is new, and that was promoted when it was made."""
        change = self.change
        if change is None or not self.promoted or pod["metadata"]["uid"] in change.before:
            return None
        promoted_at = max((since(reload, change) for reload in self._reloads), default=change.at)
        return "was made after the change" if started_at(pod) >= promoted_at else None

    @property
    def replaceable(self) -> tuple[Object, ...]:
        """The pods that a hot reload does not reach, and that start anew with the right configuration if deleted."""
        change = self.change
        if change is None or self.settled or self.scaled_to_zero or not hot_reload(self.spec) or not self.promoted:
            return ()
        may_reload = change.tier == HOT_RELOAD or self.has_no_ids
        if may_reload and self.now < change.at + self.fleet.reload_within_seconds:
            return ()
        return tuple(
            pod
            for pod in self.carrying
            if is_ready(pod)
            and (self.has_no_ids or pod["metadata"]["uid"] in change.before)
            and self.proof(pod) is None
        )

    @property
    def stalled_because(self) -> str | None:
        """Why it won't settle by itself."""
        if self.replaceable:
            names = ", ".join(pod["metadata"]["name"] for pod in self.replaceable)
            return f"the operator reports success, but {names} did not reload: must be replaced"
        if self.refusal is not None and not self.refusal.is_answer:
            return self.refusal.retry_because
        if self.target is None or self.scaled_to_zero or not hot_reload(self.spec):
            return None
        if self.has_no_ids and self.change is not None:
            return None
        knows_ids = [self.answers[pod["metadata"]["name"]].knows_ids is not False for pod in self.carrying]
        if not self.certified and (any(knows_ids) or self.change is None):
            return f"configId {self.spec.get('configId')!r} does not certify the route: nothing proves who runs it"
        if self.certified and self.change is None and knows_ids and not any(knows_ids):
            return "its images tell no configId, and nothing tells pods of the previous revision from those of now"
        return None

    @property
    def refused(self) -> str | None:
        """The operator's words, if it has refused the last change."""
        return self.refusal.words if self.refusal is not None and self.refusal.is_answer else None

    @cached_property
    def refusal(self) -> Refusal | None:
        """What the operator has against the last change, whenever that was."""
        change = self.change
        if change is None or self.settled:
            return None
        for condition in conditions_of(self.gateway):
            stood = self.now - since(condition, change)
            if is_failure(condition) and is_new(condition, change) and stood >= REFUSED_AFTER_S:
                return Refusal(words=f"{condition.get('reason')}: {condition.get('message')}", stood_s=stood)
        return None

    @property
    def detail(self) -> str:
        """What there is to see, in one line."""
        proven = sum(instance.proof is not None for instance in self.instances)
        remarks = [f"{proven} of {len(self.instances)} instances proven"]
        if self.scaled_to_zero:
            remarks = [f"scaled to zero, {len(self.pods)} pods left"]
        if not self.accepted:
            remarks.append("the operator has not accepted the present spec")
        if self.blocked:
            remarks.append(f"the operator is blocked by {BLOCKED}")
        remarks += [
            f"{str(it.get('type')).rpartition('/')[2]} says {it.get('reason')}: {it.get('message')}"
            for it in conditions_of(self.gateway)
            if not self.settled and is_failure(it)
        ]
        return "; ".join([*remarks, *([self.stalled_because] if self.stalled_because else [])])


def is_blocked(gateway: Object) -> bool:
    """Whether the operator was told to leave a Gateway alone."""
    return annotations_of(gateway).get(BLOCKED, "").lower() == "true"


def is_failure(condition: Mapping[str, Any]) -> bool:
    """Whether a condition says that the spec was not taken: `ApplyFailed`, or a canary that crashed."""
    if condition.get("status") != "False":
        return False
    return str(condition.get("reason", "")).endswith("Failed") or condition.get("type") == HOT_RELOAD_STATUS
