"""The drill itself, run as its user runs it; its figures are counted again here, from the clients' logs."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from drill.engines import kroxylicious
from drill.engines.jars import EngineMissing, jars

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 170

pytestmark = [pytest.mark.slow]


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One drill that ran."""

    arguments: tuple[str, ...]
    status: int
    said: str
    directory: Path
    report: dict[str, Any]

    def lines(self, client: str, kind: str) -> list[list[str]]:
        """The lines of one kind in a client's log."""
        text = (self.directory / "logs" / f"{client}.log").read_text()
        return [line.split(" ") for line in text.splitlines() if line.startswith(f"{kind} ")]

    def lines_of_all(self, role: str, kind: str) -> list[list[str]]:
        """Those in the logs of the producers or consumers of both pairs."""
        return self.lines(role, kind) + self.lines(f"{role}-default", kind)


RUNS = {
    "ecs": ("region-loss", "--fleet", "ecs", "--plans", "4"),
    "cfk": ("region-loss", "--fleet", "cfk"),
}
WITHOUT_ROUTE53 = pytest.param(("route53-control-plane-down",), id="without-route53", marks=pytest.mark.exhaustive)
REAL_ENGINES = pytest.param(
    ("region-loss", "--kafka", "apache", "--gateway", "kroxylicious"), id="real-engines", marks=pytest.mark.exhaustive
)


@pytest.fixture(
    scope="module",
    params=[*(pytest.param(run, id=name) for name, run in RUNS.items()), WITHOUT_ROUTE53, REAL_ENGINES],
)
def drill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """The drill, with the gateways on ECS and three plans beside, on Kubernetes (on real Kafka where it can be had),
    with nobody to ask for another record, and with real clusters and gateways."""
    if "kroxylicious" in request.param and (missing := no_engine() or no_gateway_engine()) is not None:
        pytest.skip(missing)
    reports = tmp_path_factory.mktemp("drill")
    engine = ("--kafka", "apache") if "cfk" in request.param and no_engine() is None else ()
    command = [sys.executable, "-m", "drill", "run", *request.param, *engine, "--reports", str(reports)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    latest = reports / "latest"
    assert latest.is_symlink(), ran.stdout + ran.stderr
    report = json.loads((latest / "report.json").read_text())
    return Drill(
        arguments=request.param,
        status=ran.returncode,
        said=ran.stdout + ran.stderr,
        directory=latest.resolve(),
        report=report,
    )


@functools.cache
def no_engine() -> str | None:
    """Why Apache Kafka can't be had here; None if it can."""
    try:
        jars("kafka")
    except EngineMissing as error:
        return str(error)
    return None


@functools.cache
def no_gateway_engine() -> str | None:
    """Why Kroxylicious can't be had here; None if it can."""
    try:
        kroxylicious.prepare()
    except EngineMissing as error:
        return str(error)
    return None


def ours(text: str) -> list[psutil.Process]:
    """Processes that hold a text in their command line or their environment, or in the path of an open file: what is
    forked has the first two of its fork server."""

    def holds(process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            files = (file.path for file in process.open_files())
            return any(text in part for part in (*process.cmdline(), *process.environ().values(), *files))
        return False

    return [process for process in psutil.process_iter() if holds(process)]


@pytest.mark.timeout(LIMIT_S + 20)
def test_the_clients_recover_and_the_drill_says_so(drill: Drill) -> None:
    assert drill.status == 0, drill.said
    assert drill.report["recovered"] is True
    assert drill.report["unmeasured"] == []
    assert drill.report["outcome"] == "succeeded"
    assert (drill.directory / "report.html").stat().st_size > 10_000


def test_clusters_and_gateways_are_real_where_they_can_be(drill: Drill) -> None:
    if "kroxylicious" in drill.arguments:
        assert drill.report["world"]["clusters"].startswith("Apache Kafka 4.")
        assert drill.report["world"]["gateways"].startswith("Kroxylicious 0.")
    elif "cfk" not in drill.arguments:
        assert not {"clusters", "gateways"} & drill.report["world"].keys()
    elif (missing := no_engine()) is not None:
        pytest.skip(f"no drill was played on Apache Kafka: {missing}")
    else:
        assert drill.report["world"]["clusters"].startswith("Apache Kafka 4.")


def test_recovery_is_within_generous_limits_and_its_parts_add_up(drill: Drill) -> None:
    rto = dict(drill.report["rto"])
    total, readers = rto.pop("total"), rto.pop("readers")
    assert set(rto) == {"detection", "decision", "promotion", "routes", "dns", "clients"}
    assert sum(rto.values()) == pytest.approx(total, abs=0.01)
    assert total < 60 and readers < 60
    assert 0 < drill.report["alarm_to_dns"] < total


def test_what_was_acknowledged_and_consumed_is_what_the_clients_wrote_down(drill: Drill) -> None:
    acknowledged, received = drill.lines_of_all("producer", "a"), drill.lines_of_all("consumer", "r")
    assert drill.report["acknowledged"] == len(acknowledged) > 5_000
    assert drill.report["consumed"] == len(received)
    receptions = Counter(int(line[1]) for line in received)
    assert drill.report["duplicates"] == sum(times - 1 for times in receptions.values())
    assert drill.report["failed"] == len(drill.lines_of_all("producer", "f")) == 0


def test_the_recovery_time_is_the_producers_own(drill: Drill) -> None:
    killed = drill.report["killed_at"]
    later = min(float(line[5]) for line in drill.lines("producer", "a") if float(line[5]) > killed + 1)
    assert drill.report["rto"]["total"] == pytest.approx(later - killed, abs=0.05)


def test_every_client_has_its_row_and_came_back(drill: Drill) -> None:
    assert drill.report["loss_kind"] == "loud"
    rows = {(row["settings"], row["role"]): row for row in drill.report["clients"]}
    assert len(rows) == 4 and all(row["recovered_s"] is not None for row in rows.values())
    assert rows["recommended", "writer"]["recovered_s"] == drill.report["rto"]["total"]
    assert rows["recommended", "reader"]["recovered_s"] == drill.report["rto"]["readers"]
    assert drill.report["loss"]["measured"] == sum(row["lost"] for row in rows.values() if row["role"] == "writer")


def test_every_stranded_record_is_named_and_was_acknowledged_before_the_kill(drill: Drill) -> None:
    killed = drill.report["killed_at"]
    before = {
        (line[2], int(line[3]), int(line[4]))
        for line in drill.lines_of_all("producer", "a")
        if float(line[5]) <= killed + 1
    }
    stranded = [
        (part["topic"], part["partition"], offset)
        for part in drill.report["loss"]["partitions"]
        for first, last in part["ranges"]
        for offset in range(first, last + 1)
    ]
    assert len(stranded) == drill.report["loss"]["measured"] > 0
    assert set(stranded) <= before


def test_the_controllers_estimate_stands_beside_the_measured_loss(drill: Drill) -> None:
    loss = drill.report["loss"]
    low, high = loss["estimated"]["low"], loss["estimated"]["high"]
    assert low <= loss["measured"] + loss["in_flight"]
    # The peak rate is of whole samples: writers that a busy machine holds up go on in a burst that is a little over it.
    assert loss["measured"] <= 1.1 * high
    assert loss["estimate_holds"] is (loss["measured"] <= high) and loss["unknown_partitions"] == 0
    detected = drill.report["rto"]["detection"]
    assert all(part["observed"]["at"] < detected for part in loss["partitions"]), "a sample of before it was seen lost"


def test_every_step_of_the_failover_is_on_the_timeline(drill: Drill) -> None:
    steps = {step["name"].split(":")[0] for step in drill.report["timeline"]}
    assert {
        "claim",
        "assess",
        "fence",
        "promote_mirrors",
        "check_offsets",
        "switch_routes",
        "flip_dns",
        "verify",
    } <= steps
    assert all(step["status"] == "done" for step in drill.report["timeline"])


def test_every_plan_of_the_region_fails_over(drill: Drill) -> None:
    plans = drill.report["plans"]
    if "--plans" not in drill.arguments:
        assert plans is None
        return
    assert (plans["count"], plans["failed_over"], plans["stopped"]) == (4, 4, {})
    assert 0 < plans["last_judged"] < plans["last_changed"] <= plans["last_in_sync"]
    assert "4 of 4 failed over, none stopped" in " ".join(drill.said.replace("│", " ").split())


def test_no_process_is_left(drill: Drill) -> None:
    assert ours(str(drill.directory)) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_world_that_is_interrupted_takes_everything_with_it(tmp_path: Path, how: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    up = subprocess.Popen(
        [sys.executable, "-m", "drill", "up"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert up.stdout is not None
    assert any("Ctrl-C" in line for line in up.stdout)
    children = psutil.Process(up.pid).children(recursive=True)
    assert len(children) > 10
    up.send_signal(how)
    up.wait(90)
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []


@pytest.mark.timeout(180)
def test_a_drill_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "drill", "run", "region-loss", "--reports", str(tmp_path)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 150
    while not list(tmp_path.glob("*/logs/producer.log")) and time.monotonic() < deadline:
        time.sleep(0.2)
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) > 10 and len(ours(str(tmp_path))) > 10
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == [] and ours(str(tmp_path)) == []
