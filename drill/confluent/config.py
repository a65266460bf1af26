"""What the process is told when it starts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from drill.confluent.acls import Acl
from drill.confluent.auth import OAuthConfig
from drill.confluent.mirror_bodies import Flavour
from drill.confluent.mirrors import Timings, Unverified
from drill.confluent.shapes import Wire
from drill.confluent.virtual_topics import RestOnly
from drill.ports import Host


class LinkConfig(BaseModel):
    """The link that ends at this cluster. Raw bootstraps go round the guards. Durations in seconds. `configs`: what is
    set beside what the drill's link has (bidirectional, with offset sync for `groups`)."""

    model_config = ConfigDict(extra="forbid")

    name: str
    remote_cluster_id: str
    remote_bootstrap: str = ""
    remote_raw_bootstrap: str = ""
    interval_s: float = Field(default=0.25, gt=0)
    offset_sync_s: float = Field(default=30.0, gt=0)
    groups: list[str] = []
    configs: dict[str, str] = {}
    source_unavailable_after_s: float = Field(default=60.0, ge=0)
    link_unavailable_after_s: float = Field(default=300.0, ge=0)


class Config(BaseModel):
    """This process. Durations in seconds.

    `raw_bootstrap`, `admin`: the brokers and their guard; with no brokers all topics are made up.
    `viewers`: keys, with their secrets, that may only read.
    `peers`: the control URLs of other clusters' stand-ins, by cluster id.
    `topics`: made where they do not exist; no link has to do with them.
    `rest_only_mirrors`: topics under the link that exist in the API only; `rest_only_topics`: the same at their source.
    `groups`: consumer groups there may be, beside those of the link.
    `stop_delay_s`: how long a mirror stays PENDING_STOPPED; for all, or by topic ("*": the rest).
    `step_s`: how long a mirror is in a state that it passes through by itself.
    `auto_create_s`: how often a link looks for new topics to be mirrored.
    `settle_s`: how long a new link does not know itself.
    `latency_s`: how late every answer comes.
    `dedicated`: whether the cluster is of the type that tells lags of groups.
    `dry_run_counts`, `promote_refused`, `escalation_refused`: what is not known of real clusters, and may be either
    way: whether the dry run of a restore counts what it would truncate, and `mirrors.Unverified`.
    """

    model_config = ConfigDict(extra="forbid")

    site: str
    cluster_id: str
    raw_bootstrap: str = ""
    admin: str | None = None
    api_key: str
    api_secret: str
    viewers: dict[str, str] = {}
    oauth: OAuthConfig = OAuthConfig()
    port: int = 0
    control_port: int = 0
    link: LinkConfig | None = None
    topics: list[str] = []
    mirrors: list[str] = []
    rest_only_mirrors: RestOnly = RestOnly()
    rest_only_topics: RestOnly = RestOnly()
    groups: list[str] = []
    acls: list[Acl] = []
    stop_delay_s: float | dict[str, float] = 0.5
    step_s: float = Field(default=0.2, ge=0)
    auto_create_s: float = Field(default=5.0, gt=0)
    latency_s: float = Field(default=0.0, ge=0)
    promote_refused: bool = False
    escalation_refused: bool = False
    settle_s: float = Field(default=0.0, ge=0)
    dry_run_counts: bool = True
    peers: dict[str, str] = {}
    dedicated: bool = True
    wire: Wire = "recorded"
    flavour: Flavour = "cloud"
    unmanaged_row: bool = False
    truncation: bool = False
    """Whether the cluster behind `admin` can truncate topics."""
    describes_groups: bool = False
    """Whether its brokers describe their groups; else the one behind `admin` tells which have members, if it truncates
    topics."""
    host: Host = Host()
    """Where the API is; its control stays on loopback."""

    def unverified(self) -> Unverified:
        return Unverified(self.promote_refused, self.escalation_refused)

    def timings(self, link: LinkConfig) -> Timings:
        """How long a link's mirrors take from state to state."""
        delays = self.stop_delay_s if isinstance(self.stop_delay_s, dict) else {"*": self.stop_delay_s}
        return Timings(
            stop_delay=delays.get("*", 0.0),
            stop_delay_of=delays,
            step=self.step_s,
            source_unavailable_after=link.source_unavailable_after_s,
            link_unavailable_after=link.link_unavailable_after_s,
        )
