"""The drill's commands: rehearse a scenario, or keep a world up to try things in."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from drill import practice, switchover, there_and_back
from drill import tour as guide
from drill import up as running_world
from drill.clients.families import FamilyMissing
from drill.clients.more_pairs import more_pairs
from drill.decision.expected_outcomes import TABLE
from drill.decision.scenario_world import ScenarioStuck
from drill.decision.scenarios import SETUPS, run_all
from drill.engines.jars import EngineMissing
from drill.loss import LossKind
from drill.options import (
    Callers,
    FleetKind,
    Functions,
    GatewayEngine,
    Gateways,
    HoldPolicy,
    KafkaEngine,
    LeaderEpochs,
    Mode,
    MoreClients,
    Resolver,
    SiteReturn,
    check_choice,
    check_epochs,
    check_gateway,
    check_plans,
    refuse_options_of_a_loss,
)
from drill.pictures import NoPicture, draw
from drill.ports import HERE
from drill.preparation import prepare
from drill.process import ROOT, ChildFailed
from drill.rehearsal import Rehearsal, RehearsalFailed
from drill.report import write_report
from drill.report_directories import new_directory, point_latest
from drill.rerouting import expected_outcomes as rerouting
from drill.rerouting import scenarios as rerouting_scenarios
from drill.sam_local.build import NotBuilt
from drill.sam_local.command import WorldIsUp, environment_file, print_lines, refuse_second_world
from drill.sam_local.comparison import compare
from drill.sam_local.engine import NoEngine, host_for_containers
from drill.sam_local.invocation import NotInvoked
from drill.scenarios import SCENARIOS
from drill.terminal import print_summary, view
from drill.timing import TIMINGS, TimingName
from drill.up import NoWorld, Outage, RunningWorld
from drill.world import World, WorldNotUp
from drill.world_settings import Settings

REPORTS = Path("drill-reports")
OPERATED = (switchover, there_and_back, practice)
"""Scenarios in which an operator starts something; each has a report of its own."""

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def interruptible() -> None:
    """Rehearse a failover on this machine."""
    # A shell starts background jobs with interrupts ignored; both signals shall end a drill in order.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@app.command()
def scenarios() -> None:
    """List the scenarios."""
    table = Table("scenario", "what happens", box=None)
    for scenario in SCENARIOS.values():
        table.add_row(scenario.name, scenario.description)
    for operated in OPERATED:
        table.add_row(operated.NAME, operated.DESCRIPTION)
    for row in TABLE:
        table.add_row(f"decide: {row.scenario}", row.happens)
    for rerouted in rerouting.TABLE:
        table.add_row(f"reroute: {rerouted.scenario} ({rerouted.fleet})", rerouted.happens)
    Console().print(table)


@app.command()
def run(
    context: typer.Context,
    scenario: Annotated[str, typer.Argument(help="one of `scenarios`")] = "region-loss",
    reports: Annotated[Path, typer.Option(help="where reports go")] = REPORTS,
    instances: Annotated[int, typer.Option(help="gateway containers a site", min=1)] = 2,
    template: Annotated[Path, typer.Option(help="the template, or .aws-sam/build/template.yaml")] = ROOT
    / "template.yaml",
    fleet: Annotated[FleetKind, typer.Option(help="what the gateways run on")] = FleetKind.ECS,
    kafka: Annotated[
        KafkaEngine, typer.Option(help="what the clusters are; `apache` needs Java 17 and, the first time, Maven")
    ] = KafkaEngine.MOCK,
    gateway: Annotated[
        GatewayEngine, typer.Option(help="what each container is; `kroxylicious` needs a JDK 17 and Maven, too")
    ] = GatewayEngine.STAND_IN,
    leader_epochs: Annotated[
        LeaderEpochs, typer.Option(help="of the standby's mock: as the active site's, or `lower`, which clients ignore")
    ] = LeaderEpochs.ALIKE,
    gateways: Annotated[
        Gateways, typer.Option(help="where they stand: some in each site, or all near the clients, of no site")
    ] = Gateways.SITES,
    loss: Annotated[
        LossKind, typer.Option(help="how the site is lost: killed, stopped, only its cluster, cut off")
    ] = LossKind.LOUD,
    returns: Annotated[
        SiteReturn, typer.Option(help="there and back: how the site is lost; `killed`: its log is kept, with `apache`")
    ] = SiteReturn.SUSPENDED,
    policy: Annotated[
        HoldPolicy, typer.Option(help="`balanced`: a vote must have stood for 3 s, the default; `fast`: for 1 s")
    ] = HoldPolicy.BALANCED,
    timing: Annotated[
        TimingName, typer.Option(help="`aws`: tasks, names, events, functions and promotion take their time as on AWS")
    ] = TimingName.DRILL,
    resolver: Annotated[
        Resolver, typer.Option(help="whose cache of names clients have: their host's, by TTL, or a JVM's, 30 s")
    ] = Resolver.HOST,
    more_clients: Annotated[
        list[MoreClients] | None,
        typer.Option(help="who works beside the two pairs: other libraries, other protocols; may be said again"),
    ] = None,
    plans: Annotated[
        int, typer.Option(help="in the region that is lost: one with clients, the others on light stand-ins", min=1)
    ] = 1,
    seed: Annotated[int, typer.Option(help="of how long a name takes to be in sync, with `--timing aws`")] = 1,
    functions: Annotated[
        Functions, typer.Option(help="where they run; `sam-local`: in containers, of what `sam build` built")
    ] = Functions.DRILL,
) -> None:
    """Rehearse a scenario, and write its report. Exits with 1 if a client never recovered or a figure is missing."""
    console = Console()
    check_gateway(gateway, fleet)
    for operated in OPERATED:
        if scenario == operated.NAME:
            options: dict[str, Any] = {"instances": instances, "fleet": fleet.value, "template": template.absolute()}
            options |= {"kafka": kafka.value, "gateway": gateway.value, "site_returns": returns.value}
            options |= {"timing": TIMINGS[timing], "resolver": resolver.value, "seed": seed}
            refuse_options_of_a_loss(context, scenario)
            _rehearse(operated, console, reports, options)
    if scenario not in SCENARIOS:
        names = ", ".join([*SCENARIOS, *(operated.NAME for operated in OPERATED)])
        console.print(f"there is no scenario {scenario!r}; there are: {names}", style="red")
        raise typer.Exit(2)
    chosen = SCENARIOS[scenario]
    directory = new_directory(reports, chosen.name)
    in_containers = functions is Functions.SAM_LOCAL
    check_choice(fleet, gateways, chosen, in_containers=in_containers)
    check_plans(plans, loss, chosen, in_containers=in_containers)
    check_epochs(leader_epochs, kafka)
    try:
        pairs = more_pairs([more.value for more in more_clients or ()])
        host = prepare(kafka, gateway, pairs, in_containers=in_containers)
    except (NoEngine, NotBuilt, EngineMissing, FamilyMissing) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None
    settings = Settings(
        directory=directory,
        instances=instances,
        host=host,
        fleet=fleet.value,
        kafka=kafka.value,
        gateway=gateway.value,
        epochs_back=leader_epochs is LeaderEpochs.LOWER,
        gateways=gateways.value,
        template=template.absolute(),
        policy=chosen.policy | policy.fields,
        watch=chosen.watch,
        name=chosen.name_kind,
        resolver=resolver.value,
        plans=plans,
        seed=seed,
    )
    try:
        with view(console) as shown:
            report = Rehearsal(
                chosen,
                settings,
                shown,
                loss=loss,
                timing=timing,
                in_containers=in_containers,
                more_pairs=pairs,
            ).run()
    except (RehearsalFailed, WorldNotUp, ChildFailed, NotInvoked) as error:
        console.print(f"the drill could not be carried out: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("interrupted; everything the drill had started is gone")
        raise typer.Exit(130) from None
    write_report(directory, report)
    point_latest(reports, directory)
    print_summary(console, report, directory)
    raise typer.Exit(0 if report.complete else 1)


def _check_engines(kafka: str, gateway: str, console: Console) -> None:
    """Whether clusters and gateways can be had, before anything is started."""
    try:
        prepare(KafkaEngine(kafka), GatewayEngine(gateway), (), in_containers=False)
    except EngineMissing as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None


def _rehearse(operated: ModuleType, console: Console, reports: Path, options: Mapping[str, Any]) -> NoReturn:
    if options["site_returns"] == "killed" and (options["kafka"] != "apache" or options["fleet"] == "cfk"):
        raise typer.BadParameter("a site that was killed comes back with --kafka apache, and with ECS fleets")
    _check_engines(options["kafka"], options["gateway"], console)
    settings = Settings(directory=new_directory(reports, operated.NAME), **options)
    try:
        report = operated.rehearse(settings, console)
    except (RehearsalFailed, WorldNotUp, ChildFailed) as error:
        console.print(f"the drill could not be carried out: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("interrupted; everything the drill had started is gone")
        raise typer.Exit(130) from None
    switchover.write(settings.directory, report)
    point_latest(reports, settings.directory)
    operated.print_report(console, report)
    raise typer.Exit(0 if report.complete else 1)


@app.command()
def decide(reports: Annotated[Path, typer.Option(help="where logs go")] = REPORTS) -> None:
    """Play the scenarios of the decision, and hold each against its row of the table. Exits with 1 if one differs."""
    directory = new_directory(reports, "decide")
    expected = {row.scenario: row.ending for row in TABLE}
    _hold_against(
        (name, expected[name], ending)
        for number, setup in enumerate(SETUPS.values())
        for name, ending in run_all(setup, directory / str(number))
    )


@app.command()
def reroute(
    fleet: Annotated[FleetKind | None, typer.Option(help="only what the gateways run on; by default, all")] = None,
    reports: Annotated[Path, typer.Option(help="where logs go")] = REPORTS,
) -> None:
    """Play the scenarios of the fleets, and hold each against its row of the table. Exits with 1 if one differs."""
    directory = new_directory(reports, "reroute")
    expected = {(row.scenario, row.fleet): row.ending for row in rerouting.TABLE}
    _hold_against(
        (f"{name} ({setup.fleet})", expected[name, setup.fleet], ending)
        for number, setup in enumerate(rerouting_scenarios.SETUPS.values())
        if fleet is None or setup.fleet == fleet.value
        for name, ending in rerouting_scenarios.run_all(setup, directory / str(number))
    )


def _hold_against(played: Iterable[tuple[str, Any, Any]]) -> NoReturn:
    """Say of each scenario whether it ended as it is written: its name, the ending in the table, the one it had."""
    console = Console()
    wrong = 0
    try:
        for name, expected, ending in played:
            wrong += ending != expected
            verdict = "as written" if ending == expected else f"not as written: {ending}"
            console.print(f"{name:<24} {verdict}", markup=False)
    except (ScenarioStuck, WorldNotUp, ChildFailed) as error:
        console.print(f"the scenarios could not be played: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    raise typer.Exit(1 if wrong else 0)


@app.command()
def up(
    callers: Annotated[
        Callers, typer.Option("--for", help="whose calls it takes: `sam-local` has it listen on Docker's bridge, too")
    ] = Callers.THIS_MACHINE,
    mode: Annotated[Mode, typer.Option(help="what the plan's policy does when the active site is lost")] = Mode.APPROVE,
    clients: Annotated[bool, typer.Option(help="whether a writer and a reader work in it")] = True,
) -> None:
    """Keep a world running until Ctrl-C: say where all of it is, show what people are sent and how clients fare."""
    console = Console(soft_wrap=True)
    another_is_up = running_world.others(REPORTS)
    directory = new_directory(REPORTS, "up")
    for_sam = callers is Callers.SAM_LOCAL
    try:
        host = host_for_containers() if for_sam else HERE
        if for_sam:
            refuse_second_world()
        settings = running_world.settings(directory, mode.value, host=host, say=console.print)
        with World(settings) as world, ExitStack() as files:
            for text in running_world.where(world, another_is_up=another_is_up):
                console.print(text, markup=False, highlight=False)
            if for_sam:
                files.enter_context(environment_file(world))
                print_lines(console)
            running = RunningWorld(world, console)
            if clients:
                running.start_clients()
            console.print("\nWhat people are sent is shown here. Ctrl-C ends it all.")
            running_world.keep(running, directory)
    except KeyboardInterrupt:
        console.print("the world is gone")
    except (WorldNotUp, ChildFailed, NoEngine, WorldIsUp) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None


@app.command()
def outage(
    what: Annotated[
        Outage, typer.Argument(help="the active site, or the right of the standby's key to make mirrors writable")
    ] = Outage.SITE,
    over: Annotated[bool, typer.Option("--over", help="it is over: what was lost is back")] = False,
) -> None:
    """Have something fail in the world that is up, or have it work again."""
    console = Console(soft_wrap=True)
    try:
        console.print(running_world.ask(REPORTS, what, over=over), markup=False)
    except NoWorld as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None


@app.command()
def tour(
    alone: Annotated[bool, typer.Option("--alone", help="go on by itself, as it does without a terminal")] = False,
) -> None:
    """Five minutes, guided: an outage, a question, its answer, the report, the way back; by the commands of AWS."""
    console = Console()
    directory = new_directory(REPORTS, "tour")
    try:
        with World(running_world.settings(directory, Mode.APPROVE.value, say=console.print)) as world:
            running = RunningWorld(world, console)
            running.start_clients()
            guide.directory_for_commands(directory)
            guide.take(running, console, alone=alone or not console.is_terminal)
    except KeyboardInterrupt:
        console.print("the world is gone")
    except (WorldNotUp, ChildFailed, guide.TourStuck) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None


@app.command()
def pictures(
    folder: Annotated[Path, typer.Option(help="where they go")] = ROOT / "docs",
    reports: Annotated[Path, typer.Option(help="where reports are; the latest is drawn")] = REPORTS,
) -> None:
    """Draw the README's pictures, of the report of the latest drill."""
    console = Console(soft_wrap=True)
    try:
        for picture in draw(reports / "latest", folder):
            console.print(str(picture), markup=False, highlight=False)
    except NoPicture as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None


@app.command()
def samples(
    fresh: Annotated[bool, typer.Option(help="`sam local invoke` for each, not one container a function")] = False,
    reports: Annotated[Path, typer.Option(help="where logs go")] = REPORTS,
) -> None:
    """Play the sample events in `sam local`'s containers, of what `sam build` built, and hold each answer against that
    of the drill's own runtime. Exits with 1 if one differs."""
    console = Console(soft_wrap=True)
    directory = new_directory(reports, "samples")
    alike = True
    try:
        for compared in compare(directory, fresh=fresh):
            alike &= compared.alike
            answer = "the same" if compared.alike else f"{compared.in_container}, not {compared.here}"
            console.print(
                f"{compared.sample.function:<16} {compared.sample.file:<28} {answer}", markup=False, highlight=False
            )
    except (NoEngine, NotBuilt, NotInvoked, WorldNotUp, ChildFailed) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if alike else 1)


if __name__ == "__main__":
    sys.exit(app())
