"""Advisories: what AWS Health and a status page say of a region. People should know; by itself it decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from failover.detection.evidence import Signal
from failover.plan.model import Plan

_NOT_NOW: Final = {"resolved", "postmortem", "completed", "scheduled"}
_OUTAGES: Final = {"degraded_performance", "partial_outage", "major_outage"}


def _http_date(value: Any) -> Any:
    """`Fri, 3 Jun 2022 05:01:10 GMT`, as AWS Health writes a time."""
    return parsedate_to_datetime(value) if isinstance(value, str) and value.endswith("GMT") else value


HealthTime = Annotated[datetime, BeforeValidator(_http_date)]


class _Part(BaseModel):
    """What somebody else's service sends: more fields than are read here, and null where it has nothing to say."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_says_nothing(cls, value: Any) -> Any:
        return {name: field for name, field in value.items() if field is not None} if isinstance(value, dict) else value


def _now() -> datetime:
    return datetime.now(UTC)


class HealthEvent(_Part):
    """The `detail` of an "AWS Health Event"
    (https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    event_arn: str
    service: str
    event_type_code: str
    event_type_category: str
    status_code: str = "open"
    event_region: str = ""
    start_time: HealthTime = Field(default_factory=_now)
    last_updated_time: HealthTime | None = None

    def signals(self, plan: Plan, delivered_to: str) -> Iterable[Signal]:
        """What it says of the plan's sites in its region; older events do not say which, but where they came to."""
        region = self.event_region or delivered_to
        for site in _sites_in(plan, region):
            yield Signal(
                site=site,
                source=f"aws-health/{self.event_arn.rsplit('/', 1)[-1]}",
                says_lost=self.event_type_category == "issue" and self.status_code != "closed",
                at=(self.last_updated_time or self.start_time).timestamp(),
                since=self.start_time.timestamp(),
                why=f"{self.service} in {region}: {self.event_type_code} is {self.status_code}",
                kind="advisory",
                vantage="aws-health",
                region=region,
            )


class _Component(_Part):
    id: str = ""
    name: str = ""
    status: str = "operational"


class _ComponentUpdate(_Part):
    created_at: AwareDatetime = Field(default_factory=_now)
    component_id: str = ""
    new_status: str = "operational"


class _Incident(_Part):
    id: str
    name: str = "an incident"
    status: str
    impact: str = "none"
    created_at: AwareDatetime = Field(default_factory=_now)
    updated_at: AwareDatetime | None = None
    components: tuple[_Component, ...] = ()


class StatusPost(_Part):
    """The `detail` of a "Confluent Status" event: what a status page of Atlassian Statuspage posts to a webhook, of an
    incident or of a component (https://support.atlassian.com/statuspage/docs/enable-webhook-notifications/). Of neither
    it says nothing of a site."""

    incident: _Incident | None = None
    component: _Component | None = None
    component_update: _ComponentUpdate | None = None

    def signals(self, plan: Plan) -> Iterable[Signal]:
        """What it says of the sites whose region it names; if it names none, of both."""
        if self.incident is not None:
            yield from _of_incident(self.incident, plan)
        elif update := self.component_update:
            component = self.component or _Component(id=update.component_id, status=update.new_status)
            yield from _of_component(component, update.created_at.timestamp(), plan)


def _of_incident(incident: _Incident, plan: Plan) -> Iterable[Signal]:
    named = " ".join([incident.name, *(component.name for component in incident.components)])
    for site in _sites_named(plan, named):
        yield Signal(
            site=site,
            source=f"confluent-status/{incident.id}",
            says_lost=incident.status not in _NOT_NOW and incident.impact != "none",
            at=(incident.updated_at or incident.created_at).timestamp(),
            since=incident.created_at.timestamp(),
            why=f"{incident.name} ({incident.impact}) is {incident.status}",
            kind="advisory",
            vantage="confluent-status",
        )


def _of_component(component: _Component, at: float, plan: Plan) -> Iterable[Signal]:
    for site in _sites_named(plan, component.name):
        yield Signal(
            site=site,
            source=f"confluent-status/component-{component.id}",
            says_lost=component.status in _OUTAGES,
            at=at,
            since=at,
            why=f"{component.name or 'a component'} is {component.status}",
            kind="advisory",
            vantage="confluent-status",
        )


def _sites_named(plan: Plan, text: str) -> list[str]:
    return [site for site, part in plan.sites.items() if part.region in text] or list(plan.sites)


def _sites_in(plan: Plan, region: str) -> list[str]:
    return [name for name, site in plan.sites.items() if site.region == region]
