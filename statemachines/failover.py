"""Failover: the active site is lost, the standby takes over.

The state machine owns order, waiting and deadlines; the steps own what is done. From top to bottom it is the flow.
"""

from __future__ import annotations

from typing import Any

from statemachines.blocks import (
    END,
    EXECUTION,
    PATIENCE_S,
    TRANSIENT,
    State,
    States,
    attempt,
    branch,
    call,
    catch,
    choice,
    fleets,
    jsonata,
    machine,
    step,
    stop,
    stops_at,
    too_late,
)
from statemachines.ends import announce, conclude, stand_down, stop_and_resume

RESUMED_AT = {
    "BeginAssess": "BeginAssess",
    "BeginRequestApproval": "BeginRequestApproval",
    "BeginFence": "BeginFence",
    "PromoteAndPrepare": "PromoteAndPrepare",
    "FlipAndReroute": "PromoteAndPrepare",
    "BeginVerify": "PromoteAndPrepare",
    "BeginConclude": "PromoteAndPrepare",
}
"""Where a redrive goes on that stopped at a state: what others may have changed meanwhile, a fleet's route or the name,
is looked at again, and set right. A stand-down that could not be recorded is stood down."""

AGAIN_AT = {"set_right_at": jsonata("$millis() + 1000 * ${SetRightAfterSeconds}")}
"""When what is not proven yet is set right once more: not at every turn, which would fill the history."""


def failover() -> State:
    """The whole machine."""
    return machine(
        "Failover: the active site is lost, the standby takes over. Every step is called until it reports done.",
        "BeginClaim",
        {
            **_claim(then="BeginAssess"),
            **_assess(proceed="Decided", ask="BeginRequestApproval"),
            **_approve(then="Decided"),
            **_look_ahead(then="BeginFence"),
            **_fence(then="PromoteAndPrepare"),
            "PromoteAndPrepare": _side_by_side(
                "PromoteAndPrepare",
                "Make the standby writable, and side by side route its own fleet to it; no client is there yet. Nothing"
                " that carries clients is moved before this state is done.",
                [branch("WasMoved", _promote()), branch("PrepareFleets", _prepare())],
                then="FlipAndReroute",
                Assign={"moved": True},
            ),
            "FlipAndReroute": _side_by_side(
                "FlipAndReroute",
                "Point the client hostname at the standby's fleet, and side by side route the lost site's fleet there,"
                " if it can be.",
                [branch("BeginFlip", _flip()), branch("RerouteFleets", _reroute())],
                then="BeginVerify",
            ),
            **_verify(then="BeginConclude"),
            **conclude(),
            **stand_down(),
            **announce(),
            **stop_and_resume(RESUMED_AT),
        },
    )


def _claim(then: str) -> States:
    context = "$states.context.Execution"
    start = {
        "start": jsonata(f"{context}.Input"),
        "execution_name": jsonata(f"{context}.Name"),
        "execution_arn": jsonata(f"{context}.Id"),
    }
    assign = {
        "execution": jsonata("$states.result.Payload.execution"),
        "claimed": jsonata("$states.result.Payload"),
        "stopped_at": "",
        "stopped_after": 0,
        "moved": False,
        "failure": {},
    }
    ends = [catch("States.ALL", to="BeginRefused", assign={"refusal": jsonata("$states.errorOutput")})]
    task = call("Claim", start, comment="Take the lease, raise the epoch.", Assign=assign, Catch=ends)
    refusal = {"refusal": jsonata("$states.input.observed")}
    unanswered = {"Type": "Pass", "Assign": refusal, "Next": "BeginRefused"}
    claim = attempt("Claim", task, within=PATIENCE_S, then="Claimed", late=unanswered)
    return claim | _superseding(then) | _refused(start)


def _superseding(then: str) -> States:
    """What the superseded execution asked for in its last call may land after its lease is gone."""
    look = call(
        "FlipDns",
        EXECUTION | {"look_only": True},
        comment="Where the superseded execution left the clients; what is not known is said so.",
        Catch=[catch("LeaseLost", to="LeaseLost"), catch(*TRANSIENT, to=then), catch("States.ALL", to=then)],
        Next=then,
    )
    return {
        "Claimed": {"Type": "Choice", "Choices": [choice("$claimed.superseding = true", "WaitOut")], "Default": then},
        "WaitOut": {
            "Comment": "Until no call of the superseded execution can be in flight.",
            "Type": "Wait",
            "Seconds": jsonata("$claimed.predecessor_wait_seconds"),
            "Next": "LookAtName",
        },
        "LookAtName": look,
    }


def _look_ahead(then: str) -> States:
    """What is started by hand looks at the name and the standby's fleets before it fences: it would stop there later,
    with the mirrors promoted. What does not answer is no refusal."""
    why = "'refused before anything was changed: ' & $states.errorOutput.Cause"
    by_hand = choice("$execution.manual = true and $execution.dry_run = false", "LookAhead")
    fleet = {"site": jsonata("$execution.to"), "fleet": jsonata("$states.input.fleet")}
    of_fleets = fleets("$claimed.fleets_here", "LookAtFleet", _look("LookAtFleet", "SwitchRoutes", fleet))
    return {
        "Decided": {"Type": "Choice", "Choices": [by_hand], "Default": then},
        "LookAhead": {
            "Comment": "Name and fleets, before anything is changed.",
            "Type": "Parallel",
            "Branches": [
                branch("LookAtNameFirst", _look("LookAtNameFirst", "FlipDns", {})),
                branch("LookAtFleets", {"LookAtFleets": of_fleets}),
            ],
            "Catch": [
                catch("LeaseLost", to="LeaseLost"),
                catch(
                    "DnsRejected",
                    "FleetRejected",
                    to="BeginStandDown",
                    assign={"assessed": jsonata(f"$merge([$assessed, {{'why': {why}}}])")},
                ),
                catch("States.ALL", to=then),
            ],
            "Next": then,
        },
    }


def _look(name: str, function: str, more: State) -> States:
    """Call a function that only looks, once: what is not known is looked at again when it is needed."""
    unanswered = f"{name}Unanswered"
    task = call(function, EXECUTION | more | {"look_only": True}, Catch=[catch(*TRANSIENT, to=unanswered)], End=True)
    return {name: task, unanswered: END.copy()}


def _refused(start: State) -> States:
    """Nothing was claimed. People are told: who started it may not be there to see."""
    refusal = {"execution_name": start["execution_name"], "start": start["start"], "error": jsonata("$refusal")}
    task = call("Announce", refusal, comment="Tell people.", Catch=[catch("States.ALL", to="NotClaimed")])
    untold = {"Type": "Pass", "Next": "NotClaimed"}
    return attempt("Refused", task, within=PATIENCE_S, then="NotClaimed", late=untold) | {
        "NotClaimed": {
            "Type": "Choice",
            "Choices": [choice("$refusal.Error = 'DuplicateExecution'", "Duplicate")],
            "Default": "NotStarted",
        },
        "Duplicate": {
            "Comment": "Another execution is at it, or this epoch was used. Nothing was changed.",
            "Type": "Succeed",
        },
        "NotStarted": {
            "Comment": "The start can't be carried out as it was written. Nothing was changed.",
            "Type": "Fail",
            "Error": jsonata("$refusal.Error"),
            "Cause": jsonata("$refusal.Cause"),
        },
    }


def _assess(proceed: str, ask: str) -> States:
    task = call(
        "Assess",
        EXECUTION.copy(),
        comment="Read the evidence anew and decide.",
        Assign={"assessed": jsonata("$states.result.Payload.observed")},
        Catch=stops_at("BeginAssess"),
    )
    states = step(
        "Assess",
        task,
        deadline="${AssessDeadlineSeconds}",
        then="Assessed",
        late=stop("BeginAssess", "assess"),
        last_chance=True,
        patience=PATIENCE_S,
        assign={"assessed": {}},
    )
    verdicts = [choice("$assessed.verdict = 'proceed'", proceed), choice("$assessed.verdict = 'ask'", ask)]
    return states | {"Assessed": {"Type": "Choice", "Choices": verdicts, "Default": "BeginStandDown"}}


def _approve(then: str) -> States:
    denied = jsonata("$merge([$assessed, {'why': 'a person denied it: ' & $states.errorOutput.Cause}])")
    unanswered = jsonata("$merge([$assessed, {'why': 'nobody answered in time; ' & $assessed.why}])")
    task = call(
        "RequestApproval",
        EXECUTION | {"task_token": jsonata("$states.context.Task.Token"), "assessed": jsonata("$assessed")},
        comment="Ask a person, and wait for the answer to the task token.",
        Resource="arn:aws:states:::lambda:invoke.waitForTaskToken",
        TimeoutSeconds=jsonata("$claimed.approval_timeout_seconds"),
        Catch=[
            {"ErrorEquals": ["States.Timeout", "States.HeartbeatTimeout"], "Next": "ApprovalTimedOut"},
            catch("ApprovalDenied", to="BeginStandDown", assign={"assessed": denied}),
            *stops_at("BeginRequestApproval"),
        ],
    )
    del task["Output"]
    unasked = stop("BeginRequestApproval", "request_approval")
    return attempt("RequestApproval", task, within=PATIENCE_S, then=then, late=unasked) | {
        "ApprovalTimedOut": {
            "Type": "Choice",
            "Choices": [choice("$claimed.on_approval_timeout = 'proceed'", then)],
            "Default": "NobodyAnswered",
        },
        "NobodyAnswered": {"Type": "Pass", "Assign": {"assessed": unanswered}, "Next": "BeginStandDown"},
    }


def _fence(then: str) -> States:
    return step(
        "Fence",
        call(
            "Fence",
            EXECUTION.copy(),
            comment="Stop writes to the lost site where it can be reached; what can't be in time holds nothing up.",
            Catch=stops_at("BeginFence"),
        ),
        deadline="${FenceDeadlineSeconds}",
        then=then,
        late={"Type": "Pass", "Next": then},
    )


def _side_by_side(name: str, comment: str, branches: list[State], then: str, **fields: Any) -> State:
    both: State = {"Comment": comment, "Type": "Parallel", "Catch": stops_at(name), "Next": then, "Branches": branches}
    return both | fields


def _promote() -> States:
    promote = call(
        "PromoteMirrors",
        EXECUTION.copy(),
        comment="Every mirror of every link, until all are STOPPED; policy decides at the last chance.",
    )
    check = call(
        "CheckOffsets",
        EXECUTION.copy(),
        comment="Record where the standby's partitions end before a client is let in; look for offsets beyond that.",
    )
    check["Catch"] = [catch("LeaseLost", to="CheckLostLease"), catch("States.ALL", to="BeginCreateGroups")]
    create = call(
        "CreateGroups",
        EXECUTION.copy(),
        comment="Groups of the new protocol have to be there before their members come: else those end for good.",
    )
    create["Catch"] = [catch("LeaseLost", to="CheckLostLease"), catch("States.ALL", to="CheckOffsetsEnd")]
    unknown = "What could not be looked at is unknown in the report; the mirrors are writable, and clients are waiting."
    moved = "Once clients were let in, no mirror is left to promote, and log ends hold the clients' own records."
    return {
        "WasMoved": {
            "Comment": moved,
            "Type": "Choice",
            "Choices": [choice("$moved", "CheckOffsetsEnd")],
            "Default": "BeginPromote",
        },
        **step(
            "Promote",
            promote,
            deadline="$claimed.promotion_timeout_seconds",
            then="BeginCheckOffsets",
            late=too_late("promote_mirrors"),
            last_chance=True,
            patience=PATIENCE_S,
        ),
        **step(
            "CheckOffsets",
            check,
            deadline="${CheckOffsetsDeadlineSeconds}",
            then="BeginCreateGroups",
            late={"Type": "Pass", "Next": "BeginCreateGroups"},
        ),
        **step(
            "CreateGroups",
            create,
            deadline="${CreateGroupsDeadlineSeconds}",
            then="CheckOffsetsEnd",
            late={"Type": "Pass", "Next": "CheckOffsetsEnd"},
        ),
        "CheckLostLease": {"Type": "Fail", "Error": "LeaseLost", "Cause": jsonata("$states.input.Cause")},
        "CheckOffsetsEnd": {"Comment": unknown, **END},
    }


def _prepare() -> States:
    prepare = call("SwitchRoutes", EXECUTION | {"site": jsonata("$execution.to"), "fleet": jsonata("$fleet")})
    states = step(
        "Prepare",
        prepare,
        deadline="${RouteDeadlineSeconds}",
        then="PrepareEnd",
        late=too_late("switch_routes"),
        last_chance=True,
        assign={"fleet": jsonata("$states.input.fleet")},
        side_by_side="$claimed.fleets_here",
    )
    return {"PrepareFleets": fleets("$claimed.fleets_here", "BeginPrepare", states | {"PrepareEnd": END})}


def _flip() -> States:
    return {
        **step(
            "Flip",
            call("FlipDns", EXECUTION.copy()),
            deadline="${DnsDeadlineSeconds}",
            then="FlipEnd",
            late=too_late("flip_dns"),
        ),
        "FlipEnd": END,
    }


def _reroute() -> States:
    payload = EXECUTION | {"site": jsonata("$execution.from"), "fleet": jsonata("$fleet"), "best_effort": True}
    states = step(
        "Reroute",
        call("SwitchRoutes", payload),
        deadline="${RerouteDeadlineSeconds}",
        then="RerouteEnd",
        late={"Comment": "A lost fleet that can't be routed in time is in the report, and holds nothing up.", **END},
        assign={"fleet": jsonata("$states.input.fleet")},
        side_by_side="$claimed.fleets_lost",
    )
    return {"RerouteFleets": fleets("$claimed.fleets_lost", "BeginReroute", states | {"RerouteEnd": END})}


def _verify(then: str) -> States:
    states = step(
        "Verify",
        call(
            "Verify",
            EXECUTION.copy(),
            comment="Prove with real records that clients can work.",
            Catch=stops_at("BeginVerify"),
        ),
        deadline="${VerifyDeadlineSeconds}",
        then=then,
        late=stop("BeginVerify", "verify"),
        assign=AGAIN_AT,
    )
    states["VerifyDone"]["Choices"].append(choice("$millis() > $set_right_at", "SetRight"))
    return states | {"SetRight": _set_right(then="VerifyWait")}


def _set_right(then: str) -> State:
    """What is not proven for longer than clients' caches explain may have been changed by another writer."""
    flip = call("FlipDns", EXECUTION.copy(), End=True)
    routed = {"site": jsonata("$execution.to"), "fleet": jsonata("$states.input.fleet")}
    route = call("SwitchRoutes", EXECUTION | routed, End=True)
    answer = jsonata("$states.input")
    return {
        "Comment": "Look again at the name and at the standby's fleets, and lead back what another writer led away.",
        "Type": "Parallel",
        "Branches": [
            branch("FlipAgain", {"FlipAgain": flip}),
            branch(
                "PrepareAgain",
                {"PrepareAgain": fleets("$claimed.fleets_here", "RouteAgain", {"RouteAgain": route})},
            ),
        ],
        "Catch": [
            catch("LeaseLost", to="LeaseLost"),
            {"ErrorEquals": ["States.ALL"], "Output": answer, "Assign": AGAIN_AT, "Next": then},
        ],
        "Output": answer,
        "Assign": AGAIN_AT,
        "Next": then,
    }
