"""AWS on one machine, in one process: moto's server with the bridges, and the stack of one template.

`python -m drill.aws.cloud '<JSON of CloudConfig>'` announces {endpoint, outputs, resources, ignored, stacks}.
What it is asked beside AWS's own APIs: see server.py.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from drill.network.listeners import listen_on_all, port_of
from drill.ports import LOOPBACK, Host
from drill.process import announce, configuration, exit_with_parent


class StackConfig(BaseModel):
    """One more stack, in a region of its own. `name` must be its alone: functions are found by their names."""

    model_config = ConfigDict(extra="forbid")

    name: str
    region: str
    template: Path
    parameters: dict[str, Any] = Field(default_factory=dict)


class CloudConfig(BaseModel):
    """What the process is told. `region` is the stack's; every region answers on the same endpoint."""

    model_config = ConfigDict(extra="forbid")

    region: str
    account: str = "123456789012"
    log_dir: Path
    stack_name: str = "failover"
    template: Path | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    more_stacks: list[StackConfig] = Field(default_factory=list)
    port: int = 0
    host: Host = Host()
    """Where AWS answers, beside loopback: Step Functions' engine asks it there."""
    python: Path = Path(sys.executable)
    """The interpreter of the Lambda workers."""
    dependencies_path: list[Path] = Field(default_factory=list)
    """sys.path entries that stand for a layer that is not built."""
    runtime_path: list[Path] = Field(default_factory=list)
    """sys.path entries that come last for every function, as the packages of Lambda's runtime do."""
    function_environment: dict[str, str] = Field(default_factory=dict)
    """Variables of every function, below the template's."""
    concurrency: int = 2
    """How many invocations of one function run at a time; more wait."""
    plan_ahead: str = ""
    """The plan whose functions go before those of `plans_aside`, where there are some."""
    plans_aside: list[str] = Field(default_factory=list)
    async_retry_delays_s: list[float] = Field(default_factory=lambda: [60.0, 120.0])
    event_copies: int = 1
    """How often each event is delivered to each target; AWS promises at least once."""
    schedules: bool = True
    """Whether schedules fire from the start on; else they wait for POST /drill/schedules/start."""
    alarms: bool = False
    alarm_evaluation: bool = True
    """Whether alarms follow their metrics; else each stays as it was set."""
    health_checks: bool = False
    ecs_task: str | None = None
    """The module that a task of ECS runs; without one, its services start nothing."""
    ecs_start_delay_s: float = 0.0
    """How long a task takes beyond its process's own start, as pulling an image does."""
    name_in_sync_s: tuple[float, float] | None = None
    """How long a change of Route 53's records is PENDING, at least and at most, drawn for each; None: as moto has it,
    and no name server hears of it."""
    seed: int = 0
    """Of what is drawn."""
    event_delivery_s: float = 0.0
    """How long an event is on its way to its target."""
    cold_start_s: float = 0.0
    """How long an environment of a function takes beyond its process's own start."""
    state_clock_rate: float = 1.0
    """How fast the state machines' clock goes: at 3, a wait of three seconds takes one."""
    verbose: bool = False


def main() -> None:
    config = configuration(CloudConfig)
    exit_with_parent()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if config.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # Listening from here on: between asking for a free port and using it, another process could take it.
    listeners = listen_on_all((LOOPBACK, config.host.listen), config.port)
    _prepare_environment(config, port_of(listeners[0]))
    # moto reads its settings from the environment when it is imported, so nothing of it is imported before this point.
    from drill.aws.machine import Machine

    machine = Machine(config, listeners)
    announce(machine.start())
    machine.wait()


def _prepare_environment(config: CloudConfig, port: int) -> None:
    """moto's settings. Its own clients' credentials come from here, too, and never from the user's profile."""
    os.environ |= {
        "MOTO_PORT": str(port),
        "MOTO_ACCOUNT_ID": config.account,
        "AWS_ACCESS_KEY_ID": "drill",
        "AWS_SECRET_ACCESS_KEY": "drill",
        "AWS_DEFAULT_REGION": config.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    warnings.filterwarnings("ignore", module=r"moto\..*")
    for name in ("werkzeug", "moto", "botocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL if name == "moto" else logging.ERROR)


if __name__ == "__main__":
    main()
