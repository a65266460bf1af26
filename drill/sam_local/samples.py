"""The sample events, one after the other in a fresh world, as an execution would bring them; and their answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from drill.process import ROOT

EVENTS: Final = ROOT / "events"
CALLS: Final = 60
"""How often a step that waits is called, at most."""
Invoke = Callable[[str, bytes], Any]
"""Invokes a function by its logical id; gives its answer, or what it failed with: `errorType` and `errorMessage`."""


@dataclass(frozen=True)
class Sample:
    """One file of `events/`, and the function it is for. `start`: it is an execution's input, which Claim takes."""

    function: str
    file: str
    start: bool = False

    @property
    def event(self) -> bytes:
        """What the function is invoked with."""
        document = json.loads((EVENTS / f"{self.file}.json").read_text())
        return json.dumps({"start": document, "execution_name": self.file} if self.start else document).encode()


SAMPLES: Final = (
    *(
        Sample("Judge", file)
        for file in (
            "judge",
            "alarm-ok",
            "alarm-metric",
            "alarm-metric-math",
            "alarm-composite",
            "alarm-multi-time-series",
            "alarm-muted",
            "alarm-suppressed",
            "alarm-route53-health-check",
            "sighting",
            "regular-look",
            "aws-health",
            "confluent-status",
        )
    ),
    Sample("WatchSite", "watch_site"),
    Sample("SampleLag", "sample_lag"),
    Sample("CheckReadiness", "check_readiness"),
    Sample("Claim", "manual-dry-run", start=True),
    Sample("Claim", "claim-switchover"),
    Sample("Precheck", "precheck"),
    Sample("CallHooks", "call_hooks"),
    Sample("DrainMirrors", "drain_mirrors"),
    Sample("ReverseMirrors", "reverse_mirrors"),
    Sample("SyncOffsets", "sync_offsets"),
    Sample("Claim", "claim-restore"),
    Sample("PrecheckRestore", "precheck_restore"),
    Sample("MeasureDivergence", "measure_divergence"),
    Sample("RescueRecords", "rescue_records"),
    Sample("RestoreMirrors", "restore_mirrors"),
    Sample("Claim", "claim"),
    Sample("Assess", "assess"),
    Sample("RequestApproval", "request_approval"),
    Sample("AnswerApproval", "answer_approval-link"),
    Sample("AnswerApproval", "answer_approval"),
    Sample("Fence", "fence"),
    Sample("PromoteMirrors", "promote_mirrors"),
    Sample("CheckOffsets", "check_offsets"),
    Sample("CreateGroups", "create_groups"),
    Sample("SwitchRoutes", "switch_routes"),
    Sample("FlipDns", "flip_dns"),
    Sample("Verify", "verify"),
    Sample("Conclude", "conclude"),
    Sample("Announce", "announce"),
    Sample("AnnounceStart", "announce_start"),
    Sample("WriteReport", "write_report"),
    Sample("StartRounds", "start_rounds"),
    Sample("ShowBoard", "show_board"),
    Sample("RunPractice", "run_practice"),
    Sample("ServeOperators", "resume-plan"),
    Sample("Claim", "manual-start", start=True),
)
"""All of them, in an order in which a fresh world can take them: plan `orders` at epoch 0, `east` active."""


def replay(invoke: Invoke) -> Iterator[tuple[Sample, Any]]:
    """Each sample with its function's answer; a step that goes on by itself is called again until it does not."""
    for sample in SAMPLES:
        answer: Any = None
        for _ in range(CALLS):
            answer = invoke(sample.function, sample.event)
            if not _goes_on(answer):
                break
            time.sleep(float(answer["retry_after"]))
        yield sample, answer


def _goes_on(answer: Any) -> bool:
    """Whether a step waits; or is content with instances that are not all there yet, which is a matter of speed."""
    if not isinstance(answer, dict) or "status" not in answer:
        return False
    return bool(answer["status"] == "waiting" or answer.get("observed", {}).get("missing"))


_CHANCE: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|mockCluster[0-9a-f]+|/change/\w+|\d+(?:\.\d+)*")


def without_chance(answer: Any) -> Any:
    """The answer without what differs from world to world: figures, addresses, names that are given by chance, and
    where the code stands that failed."""
    if isinstance(answer, dict):
        return {_CHANCE.sub("#", key): without_chance(value) for key, value in answer.items() if key != "stackTrace"}
    if isinstance(answer, list):
        return [without_chance(item) for item in answer]
    if isinstance(answer, str):
        return _CHANCE.sub("#", answer)
    return "#" if isinstance(answer, int | float) and not isinstance(answer, bool) else answer
