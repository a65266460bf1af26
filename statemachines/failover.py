"""Failover: the active site is lost, the standby takes over.

The state machine owns order, waiting and deadlines; the steps own what is done. From top to bottom it is the flow.
"""

from __future__ import annotations

from statemachines.blocks import (
    END,
    EXECUTION,
    FLEET_OF_ITEM,
    PATIENCE_S,
    TRANSIENT,
    State,
    States,
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
from statemachines.stages import (
    approve,
    claim,
    hooks_or_stop,
    lead_over,
    leads,
    prepare,
    prepare_and_flip,
    reroute,
    side_by_side,
    verify,
)

RESUMED_AT = {
    "BeginAssess": "BeginAssess",
    "BeginRequestApproval": "BeginRequestApproval",
    "BeginHooksBeforeFence": "BeginHooksBeforeFence",
    "BeginFence": "BeginFence",
    "PromoteAndPrepare": "PromoteAndPrepare",
    "BeginHooksAfterPromotion": "PromoteAndPrepare",
    "FlipAndReroute": "PromoteAndPrepare",
    "BeginHooksAfterName": "PromoteAndPrepare",
    "BeginVerify": "PromoteAndPrepare",
    "BeginConclude": "PromoteAndPrepare",
}
"""Where a redrive goes on that stopped at a state: what others may have changed meanwhile, a fleet's route or the name,
is looked at again, and set right. A stand-down that could not be recorded is stood down."""


def failover() -> State:
    """The whole machine."""
    return machine(
        "Failover: the active site is lost, the standby takes over. Every step is called until it reports done.",
        "BeginClaim",
        {
            **claim("failover", then="Claimed"),
            **_superseding(then="BeginAssess"),
            **_assess(proceed="Decided", ask="BeginRequestApproval"),
            **approve(then="Decided"),
            **_look_ahead(then="HasHooksBeforeFence"),
            **hooks_or_stop("HooksBeforeFence", "before-fence", then="ByWhom"),
            "ByWhom": _by_whom(fence="BeginFence", then="PromoteAndPrepare"),
            **_fence(then="PromoteAndPrepare"),
            "PromoteAndPrepare": side_by_side(
                "PromoteAndPrepare",
                "Make the standby writable, and side by side route its own fleet to it; no client is there yet. Nothing"
                " that carries clients is moved before this state is done. The fence of a site that was seen lost goes"
                " side by side with both.",
                [
                    branch("WasMoved", _promote()),
                    branch("CarryClients", _prepare()),
                    branch("IsToBeFenced", _fence_beside()),
                ],
                then="HasHooksAfterPromotion",
                Assign={"moved": True},
            ),
            **hooks_or_stop("HooksAfterPromotion", "after-promotion", then="BeginToLead"),
            **leads(then="FlipAndReroute"),
            "FlipAndReroute": side_by_side(
                "FlipAndReroute",
                "Point the client hostname at the standby's fleet, and side by side route those there that clients go"
                " on to come through, and the lost site's, if it can be.",
                [
                    branch("ArePrepared", _flip()),
                    branch("LeadFleetsOver", lead_over()),
                    branch("RerouteFleets", reroute("${RerouteDeadlineSeconds}")),
                ],
                then="HasHooksAfterName",
            ),
            **hooks_or_stop("HooksAfterName", "after-name", then="BeginVerify"),
            **verify(then="BeginConclude"),
            **conclude(),
            **stand_down(),
            **announce(),
            **stop_and_resume(RESUMED_AT),
        },
    )


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


def _by_whom(fence: str, then: str) -> State:
    """What is started by hand fences before it promotes: the site that it leaves may be well, and what is written there
    meanwhile would be stranded."""
    return {"Type": "Choice", "Choices": [choice("$execution.manual = true", fence)], "Default": then}


def _look_ahead(then: str) -> States:
    """What is started by hand looks at name and fleets before anything is changed: it would stop there
    later, with the mirrors promoted. What does not answer is no refusal."""
    why = "'refused before anything was changed: ' & $states.errorOutput.Cause"
    by_hand = [choice("$execution.manual = true and $execution.dry_run = false", "LookAhead")]
    needed = "$append($claimed.fleets_joining, $claimed.fleets_staying)"
    of_fleets = fleets(needed, "LookAtFleet", _look("LookAtFleet", "SwitchRoutes", FLEET_OF_ITEM))
    return {
        "Decided": {"Type": "Choice", "Choices": by_hand, "Default": then},
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


def _fence_beside() -> States:
    """The fence of a failover that began by itself. It is asked for once: what can't be fenced in the time that the
    standby takes to be writable holds nothing up, and is routed there a moment later."""
    fence = call("Fence", EXECUTION | {"beside": True}, comment="Ask what can be reached of the lost site.")
    fence["Catch"] = [catch("LeaseLost", to="FenceLostLease"), catch("States.ALL", to="FenceEnd")]
    by_hand_or_moved = choice("$moved or $execution.manual", "FenceEnd")
    return {
        "IsToBeFenced": {
            "Comment": "What a person started is fenced already; once clients were moved, a fence would cut them off.",
            "Type": "Choice",
            "Choices": [by_hand_or_moved],
            "Default": "FenceBeside",
        },
        "FenceBeside": fence | {"Next": "FenceEnd"},
        "FenceLostLease": {"Type": "Fail", "Error": "LeaseLost", "Cause": jsonata("$states.input.Cause")},
        "FenceEnd": END,
    }


def _prepare() -> States:
    why = "Clients that are led back may come through these fleets still, and what is mirrored is not writable yet."
    return prepare() | {
        "CarryClients": {
            "Comment": why,
            "Type": "Choice",
            "Choices": [choice("$execution.leads_back = true", "PreparedLater")],
            "Default": "PrepareFleets",
        },
        "PreparedLater": END.copy(),
    }


def _flip() -> States:
    return prepare_and_flip("LeadBack") | {
        "ArePrepared": {
            "Type": "Choice",
            "Choices": [choice("$execution.leads_back = true", "LeadBackFleets")],
            "Default": "BeginFlip",
        }
    }


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
