"""The stages that flows share: claim, ask a person, route the fleets, flip the name, prove that clients can work."""

from __future__ import annotations

from typing import Any

from statemachines.blocks import (
    DEADLINE_EXCEEDED,
    END,
    EXECUTION,
    FLEET,
    FLEET_OF_ITEM,
    PATIENCE_S,
    REDRIVES,
    State,
    States,
    attempt,
    branch,
    call,
    catch,
    choice,
    fleets,
    jsonata,
    step,
    stop,
    stops_at,
    too_late,
)

AGAIN_AT = {"set_right_at": jsonata("$millis() + 1000 * ${SetRightAfterSeconds}")}
"""When what is not proven yet is set right once more: not at every turn, which would fill the history."""


def claim(kind: str, then: str) -> States:
    """Take the lease for an execution of this kind, or tell that the start was refused."""
    context = "$states.context.Execution"
    start = {
        "kind": kind,
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
    states = attempt("Claim", task, within=PATIENCE_S, then=then, late=unanswered)
    return states | _refused(start)


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


def approve(then: str) -> States:
    """Ask a person; a denial stands down, and so does silence, unless policy takes it for a yes."""
    denied = jsonata("$merge([$assessed, {'why': 'a person denied it: ' & $states.errorOutput.Cause}])")
    unanswered = jsonata("$merge([$assessed, {'why': 'nobody answered in time; ' & $assessed.why}])")
    task = call(
        "RequestApproval",
        EXECUTION | {"task_token": jsonata("$states.context.Task.Token"), "assessed": jsonata("$assessed")},
        comment="Ask a person, and wait for the answer to the task token.",
        Resource="arn:${Partition}:states:::lambda:invoke.waitForTaskToken",
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


def hooks(name: str, moment: str, *, then: str, catches: list[State], late: State, **more: Any) -> States:
    """Call the plan's hooks of a turn, where it has any, from the state `Has<name>` on. They have deadlines of their
    own: the step's is for a step that gets no answer."""
    task = call(
        "CallHooks",
        EXECUTION | {"moment": moment, "redrives": jsonata(REDRIVES)} | more,
        comment="The plan's own functions, each until it has answered.",
        Catch=catches,
    )
    return {
        f"Has{name}": {
            "Type": "Choice",
            "Choices": [choice(f"'{moment}' in $claimed.hooks", f"Begin{name}")],
            "Default": then,
        },
        **step(name, task, deadline="${HooksDeadlineSeconds}", then=then, late=late),
    }


def hooks_or_stop(name: str, moment: str, *, then: str, **more: Any) -> States:
    """As `hooks`; whatever goes wrong stops the execution there."""
    begin = f"Begin{name}"
    return hooks(name, moment, then=then, catches=stops_at(begin), late=stop(begin, "call_hooks"), **more)


def doubtful(to: str) -> list[State]:
    """Any error is a doubt: go there, and say why in the end; who lost the lease touches nothing."""
    doubt = {"doubt": jsonata("$states.errorOutput")}
    return [catch("LeaseLost", to="LeaseLost"), catch("States.ALL", to=to, assign=doubt)]


def too_slow(function: str, to: str) -> State:
    """What is not done in time is a doubt, too."""
    cause = f"'{function} was not done in time: ' & $string($states.input.observed)"
    doubt = jsonata(f"{{'Error': '{DEADLINE_EXCEEDED}', 'Cause': {cause}}}")
    return {"Type": "Pass", "Assign": {"doubt": doubt}, "Next": to}


def look_for_doubts(function: str, proceed: str, ask: str, **more: Any) -> States:
    """Look at everything that is needed, before anything is changed; what is in doubt stands down. That nobody answers
    is no doubt yet: as long as nothing is changed, an answer can be waited for. `more`: what else the function is told.
    """
    states = step(
        "Precheck",
        call(
            function,
            EXECUTION | more,
            comment="Look at everything that is needed, before anything is changed.",
            Assign={"assessed": jsonata("$states.result.Payload.observed")},
            Catch=doubtful(to="BeginStandDown"),
        ),
        deadline="${PrecheckDeadlineSeconds}",
        then="Prechecked",
        late=too_slow("precheck", to="BeginStandDown"),
        last_chance=True,
        patience=PATIENCE_S,
        assign={"assessed": {"why": ""}, "doubt": {}},
    )
    verdicts = [choice("$assessed.verdict = 'proceed'", proceed), choice("$assessed.verdict = 'ask'", ask)]
    return states | {"Prechecked": {"Type": "Choice", "Choices": verdicts, "Default": "BeginStandDown"}}


def side_by_side(name: str, comment: str, branches: list[State], then: str, **fields: Any) -> State:
    """Do several things at once; whatever goes wrong stops the execution here."""
    both: State = {"Comment": comment, "Type": "Parallel", "Catch": stops_at(name), "Next": then, "Branches": branches}
    return both | fields


def prepare(name: str = "Prepare") -> States:
    """Route the fleets of the site that takes over to it, in a state `<name>Fleets`."""
    states = step(
        name,
        call("SwitchRoutes", EXECUTION | FLEET),
        deadline="${RouteDeadlineSeconds}",
        then=f"{name}End",
        late=too_late("switch_routes"),
        last_chance=True,
        assign={"fleet": jsonata("$states.input.fleet")},
        side_by_side="$claimed.fleets_joining",
    )
    return {f"{name}Fleets": fleets("$claimed.fleets_joining", f"Begin{name}", states | {f"{name}End": END})}


def prepare_and_flip(name: str = "Prepare") -> States:
    """Route the fleets of the site that takes over to it, and then point the client hostname at them."""
    states = prepare(name)
    del states[f"{name}Fleets"]["End"]
    states[f"{name}Fleets"]["Next"] = "BeginFlip"
    return states | flip()


def flip() -> States:
    """Point the client hostname at the site that takes over."""
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


def reroute(deadline: str) -> States:
    """Route the fleets there, too, that no client comes through afterwards, as far as they can be reached."""
    states = step(
        "Reroute",
        call("SwitchRoutes", EXECUTION | FLEET | {"best_effort": True}),
        deadline=deadline,
        then="RerouteEnd",
        late={"Comment": "A lost fleet that can't be routed in time is in the report, and holds nothing up.", **END},
        assign={"fleet": jsonata("$states.input.fleet")},
        side_by_side="$claimed.fleets_leaving",
    )
    return {"RerouteFleets": fleets("$claimed.fleets_leaving", "BeginReroute", states | {"RerouteEnd": END})}


def lead_over() -> States:
    """Route the fleets there that clients come through before and afterwards. None of them is best effort."""
    states = step(
        "LeadFleet",
        call("SwitchRoutes", EXECUTION | FLEET | {"staying": True}),
        deadline="${RouteDeadlineSeconds}",
        then="LeadFleetEnd",
        late=too_late("switch_routes"),
        last_chance=True,
        assign={"fleet": jsonata("$states.input.fleet")},
        side_by_side="$claimed.fleets_staying",
    )
    return {
        "LeadFleetsOver": fleets("$claimed.fleets_staying", "BeginLeadFleet", states | {"LeadFleetEnd": END.copy()})
    }


def leads(then: str) -> States:
    """Remember when clients began to be led over."""
    return {"BeginToLead": {"Type": "Pass", "Assign": {"led_at": jsonata("$millis()")}, "Next": then}}


def verify(then: str) -> States:
    """Prove that clients can work; what is not proven is set right once in a while, and before the first proof, where
    clients were led over a while ago: gateways of the site that is left may lead them rightly, and a name that another
    writer led back there would be proven, too."""
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
    states["BeginVerify"]["Next"] = "WereLedLongAgo"
    long_ago = choice("$millis() > $led_at + 1000 * ${SetRightAfterSeconds}", "LeadBack")
    return states | {
        "WereLedLongAgo": {"Type": "Choice", "Choices": [long_ago], "Default": "Verify"},
        "LeadBack": _set_right("First", then="Verify"),
        "SetRight": _set_right("Again", then="VerifyWait"),
    }


def _set_right(when: str, *, then: str) -> State:
    """What is not proven for longer than clients' caches explain may have been changed by another writer."""
    flip = call("FlipDns", EXECUTION.copy(), End=True)
    route = call("SwitchRoutes", EXECUTION | FLEET_OF_ITEM, End=True)
    lead = call("SwitchRoutes", EXECUTION | FLEET_OF_ITEM | {"staying": True}, End=True)
    answer = jsonata("$states.input")
    return {
        "Comment": "Look again at the name and at the fleets of clients, and lead back what another writer led away.",
        "Type": "Parallel",
        "Branches": [
            branch(f"Flip{when}", {f"Flip{when}": flip}),
            branch(
                f"Prepare{when}",
                {f"Prepare{when}": fleets("$claimed.fleets_joining", f"Route{when}", {f"Route{when}": route})},
            ),
            branch(
                f"LeadOver{when}",
                {f"LeadOver{when}": fleets("$claimed.fleets_staying", f"Lead{when}", {f"Lead{when}": lead})},
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
