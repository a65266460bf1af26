"""`failover render`: what a plan's gateway fleets run on and its alarms, as files that are ready to deploy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from command.alarms import rendered_alarms
from command.errors import NotDone
from command.output import Line, show, show_json, show_next
from command.plan_files import File, plan_in
from failover.plan.model import Plan
from gateway.config import targets
from gateway.render import ECS_PORTS, ECS_TEMPLATE, family, for_clients_at, render
from gateway.settings import BadSettings, load_settings

ALARMS: Final = "alarms.yaml"
DEPLOY: Final = "aws cloudformation deploy --region {region} --stack-name {stack} --template-file {template}"
_PARAMETERS: Final = re.compile(r"(?ms)^Parameters:\n(.*?)^\S")
_PARAMETER: Final = re.compile(r"(?m)^  (\w+):\n((?:    .*\n)+)")
"""A parameter of a template, and the lines that describe it."""


@dataclass(frozen=True, kw_only=True)
class RenderedFleet:
    """What was written for one fleet."""

    fleet: str
    site: str
    files: list[str]
    command: str
    """What deploys it; empty if it can't be deployed as it is."""
    lacks: list[str]
    """Parameters of its stack that the settings do not give."""


def render_plan(
    file: File,
    out: Annotated[
        Path | None, typer.Option(help="The directory to write to; by default rendered/ and the plan's name.")
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="A YAML file with a mapping gateway:, see gateway/README.md.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="host:port that clients use, instead of the plan's; for a workstation.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Write what a plan's gateway fleets run on: configuration, ECS or Kubernetes manifests; and its alarms.

    Nothing is asked of any service. Exits with 0 if all was written, 2 if nothing was.
    """
    try:
        plan = for_clients_at(endpoint, plan_in(file))
        texts = render(plan, load_settings(settings_file))
    except BadSettings as error:
        raise NotDone(str(error), "gateway/README.md has every field of the settings") from None
    template = ECS_TEMPLATE.read_text(encoding="utf-8")
    if any(fleet.kind.startswith("ecs") for location in plan.locations.values() for fleet in location.fleets):
        texts[ECS_TEMPLATE.name] = template
    texts[ALARMS] = rendered_alarms(plan)
    folder = out or Path("rendered", plan.name)
    _write(folder, texts)
    fleets = list(_fleets(plan, folder, texts=texts, required=_required(template)))
    if as_json:
        document = {"plan": plan.name, "folder": str(folder), "files": list(texts), "fleets": list(map(asdict, fleets))}
        show_json(document | {"alarms": _alarms_command(plan, folder)})
    else:
        show(_lines(plan, folder, fleets))
        if any(fleet.lacks for fleet in fleets):
            show_next(f"put what lacks into a settings file, then failover render {file} --settings settings.yaml")
        else:
            for command in [*(fleet.command for fleet in fleets if fleet.command), _alarms_command(plan, folder)]:
                show_next(command)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotDone(f"can't write to {folder}: {error.strerror}", "say another directory with --out") from None


def _required(template: str) -> list[str]:
    """The parameters of a template that have no default."""
    section = _PARAMETERS.search(template)
    blocks = _PARAMETER.findall(section[1]) if section else []
    return [name for name, block in blocks if "    Default:" not in block]


def _fleets(plan: Plan, folder: Path, *, texts: Mapping[str, str], required: list[str]) -> Iterator[RenderedFleet]:
    for site, described in plan.locations.items():
        for fleet in described.fleets:
            parameters, manifests = f"{fleet.name}.parameters.json", f"{fleet.name}.kubernetes.yaml"
            names = [*(f"{family(fleet.name, target)}.yaml" for target in targets(plan)), parameters, manifests]
            command, lacks = "", list[str]()
            if parameters in texts:
                lacks = [name for name in required if name not in json.loads(texts[parameters])["Parameters"]]
                deploy = DEPLOY.format(region=described.region, stack=fleet.name, template=folder / ECS_TEMPLATE.name)
                command = (
                    f"{deploy} --parameter-overrides file://{folder / parameters}"
                    " --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
                )
            elif manifests in texts:
                command = f"kubectl apply -f {folder / manifests}"
            yield RenderedFleet(
                fleet=fleet.name,
                site=site,
                files=[name for name in names if name in texts],
                command=command,
                lacks=lacks,
            )


def _alarms_command(plan: Plan, folder: Path) -> str:
    region = plan.sites[plan.other(plan.home)].region
    deploy = DEPLOY.format(region=region, stack=f"failover-{plan.name}-alarms", template=folder / ALARMS)
    return f'{deploy} --parameter-overrides NotificationTopicArn="$TOPIC"'


def _lines(plan: Plan, folder: Path, fleets: list[RenderedFleet]) -> Iterator[Line]:
    for fleet in fleets:
        yield f"{fleet.fleet}, of {fleet.site}, in {folder}:", "bold"
        yield from (f"  {name}" for name in fleet.files)
        if not fleet.command:
            yield (
                f"  no ECS parameters: an ECS service takes {ECS_PORTS} ports, a bootstrap and {ECS_PORTS - 1} node"
                " ids. Narrow gateway.node_ids, or take gateway.strategy: host",
                "yellow",
            )
        if fleet.lacks:
            yield f"  lacks, under gateway.ecs.{fleet.site} of the settings: {', '.join(fleet.lacks)}", "yellow"
    yield f"alarms of the plan: {folder / ALARMS}", "bold"
