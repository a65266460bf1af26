"""A world without clients to run scenarios in: its vantage points look when told to; and what is seen of it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

import httpx
import yaml
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from drill import fixture_plan, stacks
from drill.decision.expected_outcomes import Ending
from drill.deployment import plan_item
from drill.fixture_plan import HOME, PLAN, REGIONS, STANDBY, THIRD_REGION
from drill.ledger_reader import ControllerAccount
from drill.name_watch import NameWatch
from drill.network.plain_http import plain
from drill.process import ROOT
from drill.world import World

LIMIT_S: Final = 240.0
NOWHERE: Final = "127.0.0.1:9"
HERE, THERE, THIRD = REGIONS[STANDBY], REGIONS[HOME], THIRD_REGION
BUSY: Final = "execution_in_progress"
ENVIRONMENT_ENDED: Final = "Runtime.ExitError"
"""How Lambda answers for an environment that was ended just then; whoever calls, calls again."""
GONE: Final = (ConnectionClosedError, EndpointConnectionError)
"""How the AWS of a lost region answers."""


class ScenarioStuck(AssertionError):
    """What had to come did not come in time."""


class ScenarioRun:
    """One world in which scenarios are run, one after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._account = ControllerAccount(world.aws("dynamodb"), world.ledger_table)
        self._controllers = {HERE: stacks.CONTROLLER}
        if world.settings.controllers == 2:
            self._controllers[THERE] = stacks.OTHER
        self._eyes = self._controllers | {THIRD: stacks.SIGNALS}
        self._before: set[str] = set()
        self._judged_site = HOME

    # What happens.

    def begin(self) -> None:
        """A new scenario: what was started until now is not its doing, and it is about the site that is active now."""
        self._before = set(self._runs())
        self._judged_site = self._account.active_site() or HOME

    def look(self, *regions: str) -> None:
        """All or some vantage points look at the sites now; back once every judge has judged what they told. Who saw
        nothing new tells nothing, and what is known is judged as it is once a minute."""
        since, eyes = time.time(), regions or tuple(self._eyes)
        with ThreadPoolExecutor(max_workers=len(eyes)) as pool:
            observations = sum(published_at > since for published_at in pool.map(self._watch, eyes))

        def judged(judge: str) -> bool:
            mine = [
                invocation
                for invocation in self._report("invocations")
                if invocation["function"] == judge and invocation["start"] > since
            ]
            return len(mine) >= observations

        judges = [self.world.resource("Judge", stack) for stack in self._controllers.values()]
        self.until(lambda: all(map(judged, judges)), "a judgement of every sighting")
        if not observations:
            self._judge_again()

    def alarm(self, name: str, value: str) -> None:
        """An alarm of the controller's region changes; back once the ledger knows."""
        self.world.aws("cloudwatch").set_alarm_state(AlarmName=name, StateValue=value, StateReason="a scenario")
        says = {"ALARM": True}.get(value, False)
        signal_items = partial(self._account.items, f"signal#{HOME}#{name}#{HERE}")
        self.until(lambda: [item["says_lost"] for item in signal_items()] == [says], f"{name} in the ledger")

    def cut_off(self, *, anchors: bool = False, again: bool = True) -> None:
        """From the third region the active site's addresses lead nowhere; with `anchors` none does; `again` False:
        all do."""
        plan = yaml.safe_load(yaml.safe_dump(self.world.plan))
        if again:
            for name in (HOME, STANDBY) if anchors else (HOME,):
                site = plan["sites"][name]
                site["kafka"] |= {"bootstrap": NOWHERE, "rest_endpoint": f"http://{NOWHERE}"}
                site["fleets"][0]["bootstrap"] = NOWHERE
        if anchors:
            plan["anchors"] = [NOWHERE]
        item = plan_item(PLAN, yaml.safe_dump(plan))
        self.world.aws("dynamodb").put_item(TableName=stacks.THIRD_LEDGER, Item=item)
        # A function keeps its plan for half a minute; Lambda may end its environments at any time.
        for pid in self._report("workers")[self.world.resource("WatchSite", stacks.SIGNALS)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def answer(self, answer: str) -> None:
        """A person answers the question, from the command line."""
        self.until(self._new, "an execution")
        name = next(iter(self._new())).rpartition("/")[2]
        self.until(lambda: "request_approval" in self._steps(name), "the question")
        payload = {"plan": PLAN, "execution": name, "answer": answer, "by": "Ada", "why": "a scenario"}
        answered = self.world.aws("lambda").invoke(
            FunctionName=self.world.resource("AnswerApproval"), Payload=json.dumps(payload)
        )
        if "FunctionError" in answered:
            raise ScenarioStuck(answered["Payload"].read().decode())

    def resume(self) -> None:
        """A person resumes the plan, by the operator's command: what was denied may be asked again."""
        drills = self.world.settings.directory / "operator" / "drill-reports"
        if not drills.exists():
            drills.mkdir(parents=True)
            (drills / "latest").symlink_to(self.world.settings.directory.resolve())
        modules = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "failover" / "python")))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment["PYTHONPATH"] = modules
        command = [sys.executable, "-m", "command", "--drill", "resume", PLAN]
        resumed = subprocess.run(
            command, cwd=drills.parent, env=environment, capture_output=True, text=True, check=False
        )
        if resumed.returncode:
            raise ScenarioStuck(f"the plan could not be resumed: {resumed.stderr}")

    def start(self, region: str, name: str, epoch: int) -> str:
        """Start an execution at the controller of a region, as its judge would; how it ended."""
        states = self.world.aws("stepfunctions", region)
        machine = self.world.resource("FailoverStateMachine", self._controllers[region])
        request = {"plan": PLAN, "kind": "failover", "from": HOME, "to": STANDBY, "epoch": epoch}
        arn = states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(request))["executionArn"]
        self.until(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING", f"the end of {name}")
        return str(states.describe_execution(executionArn=arn)["status"])

    def ended(self) -> None:
        """Wait for the end of the execution that was started."""
        self.until(self._new, "an execution")
        self.until(lambda: "running" not in self._new().values() and not self._holder(), "the end of the execution")

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for something.

        Raises:
            ScenarioStuck: if it does not come.
        """
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > deadline:
                raise ScenarioStuck(f"{what} did not come; executions: {self._new()}; judged: {self._judged()}")
            time.sleep(0.05)

    # What there is to see.

    def ending(self) -> Ending:
        """How the scenario ended."""
        active = self._account.active_site() or HOME
        led_to = "" if self._name() == fixture_plan.dns_target(active) else f", the name leads to {self._name()}"
        lease = f", {self._holder()} holds the lease" if self._holder() else ""
        return Ending(
            executions=tuple(self._new().values()),
            active=f"{active}{led_to}{lease}",
            mirrors=self._mirrors(),
            judged=self._judged(),
        )

    def _judge_again(self) -> None:
        event = {
            "source": "kafka.failover",
            "detail-type": "Regular Look",
            "account": fixture_plan.ACCOUNT,
            "detail": {"plans": [PLAN]},
        }
        for region, stack in self._controllers.items():
            judge = self.world.resource("Judge", stack)
            with suppress(*GONE):
                self.world.aws("lambda", region).invoke(FunctionName=judge, Payload=json.dumps(event))

    def _watch(self, region: str) -> float:
        """When the region told last what it saw, in seconds since 1970; 0.0: never."""
        function = self.world.resource("WatchSite", self._eyes[region])
        aws, payload = self.world.aws("lambda", region), json.dumps({"plans": [PLAN]})
        answer = aws.invoke(FunctionName=function, Payload=payload)
        document = answer["Payload"].read().decode()
        if ENVIRONMENT_ENDED in document:
            answer = aws.invoke(FunctionName=function, Payload=payload)
            document = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            raise ScenarioStuck(f"{region} could not look: {document}")
        (of_plan,) = json.loads(document)["plans"]
        return of_plan["published_at"] or 0.0

    def _runs(self) -> dict[str, str]:
        """Every execution that a state machine started, with its outcome, by region and name."""
        claimed = {
            f"{execution.controller}/{execution.name}": execution.status for execution in self._account.executions()
        }
        runs_by_key = {}
        for region, stack in self._controllers.items():
            with suppress(*GONE):
                machine = self.world.resource("FailoverStateMachine", stack)
                runs = self.world.aws("stepfunctions", region).list_executions(stateMachineArn=machine)["executions"]
                for run in sorted(runs, key=lambda run: run["startDate"]):
                    key = f"{region}/{run['name']}"
                    over = run["status"] != "RUNNING"
                    runs_by_key[key] = claimed.get(key, "duplicate") if over else "running"
        return runs_by_key

    def _new(self) -> dict[str, str]:
        return {run: outcome for run, outcome in self._runs().items() if run not in self._before}

    def _steps(self, name: str) -> set[str]:
        return {
            step.name for execution in self._account.executions() if execution.name == name for step in execution.steps
        }

    def _holder(self) -> str | None:
        return next((item.get("holder") for item in self._account.items("state")), None)

    def _judged(self) -> str:
        """The last word of each judge about the scenario's site. That an execution is at it already is none, nor is a
        wait after a proceed: of two calls side by side the later one may have read less. An alarm may have a judge look
        at the new active site before the scenario has ended."""
        last_words: dict[str, str] = {}
        for record in map(_record, self._account.items("decision#")):
            about_it = record["site"] == self._judged_site
            if about_it and record["by"].startswith("judge/") and record["guard"] != BUSY:
                if record["verdict"] == "wait" and last_words.get(record["by"]) == "proceed":
                    continue
                last_words[record["by"]] = ": ".join(filter(None, (record["verdict"], record["guard"])))
        words = [last_words.get(f"judge/{region}", "nothing") for region in self._controllers]
        return "; the other: ".join(words)

    def _mirrors(self) -> str:
        try:
            site = plain.get(f"{self.world.rest_control(STANDBY)}/link", timeout=30).json()
        except httpx.ConnectError:
            return "gone with the cluster"
        return ", ".join(sorted(set(site["mirrors"].values())))

    def _name(self) -> str | None:
        return NameWatch(fixture_plan.HOSTNAME, self.world.nameserver).ask()

    def _report(self, name: str) -> Any:
        return plain.get(f"{self.world.endpoint}/drill/{name}", timeout=30).json()


def _record(item: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(item["record"])))
