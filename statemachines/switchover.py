"""Switchover: both sites are up, the standby takes over, and nothing is lost.

Until the first reverse that a link accepts any doubt, an error or a person's wish gives it up: what was fenced is put
back, and the execution stands down. From then on it goes forward only. Where that point is the ledger knows, not this
machine: putting back is refused once it is passed.
"""

from __future__ import annotations

from statemachines.blocks import (
    END,
    EXECUTION,
    FLEET,
    PATIENCE_S,
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
    doubtful,
    hooks,
    hooks_or_stop,
    lead_over,
    leads,
    look_for_doubts,
    prepare_and_flip,
    reroute,
    side_by_side,
    too_slow,
    verify,
)

RESUMED_AT = {
    "BeginRequestApproval": "BeginRequestApproval",
    "PutBack": "PutBack",
    "BeginHooksGivenUp": "PutBack",
    "BeginPromote": "BeginPromote",
    "BeginHooksAfterPromotion": "BeginHooksAfterPromotion",
    "LeadOver": "LeadOver",
    "BeginHooksAfterName": "LeadOver",
    "BeginVerify": "LeadOver",
    "BeginHooksSwitchBack": "LeadOver",
    "BeginConclude": "LeadOver",
}
"""Where a redrive goes on that stopped at a state. A stand-down that could not be recorded is stood down."""


def switchover() -> State:
    """The whole machine."""
    return machine(
        "Switchover: both sites are up, the standby takes over, nothing is lost.",
        "BeginClaim",
        {
            **claim("switchover", then="BeginPrecheck"),
            **look_for_doubts("Precheck", proceed="HasHooksBeforeFence", ask="BeginRequestApproval"),
            **approve(then="HasHooksBeforeFence"),
            **hooks(
                "HooksBeforeFence",
                "before-fence",
                then="BeginFence",
                catches=doubtful(to="PutBack"),
                late=too_slow("call_hooks", to="PutBack"),
            ),
            **_fence(then="BeginDrain"),
            **_drain(then="ReverseAndSync"),
            "ReverseAndSync": {
                "Comment": "The first reverse that a link accepts is the point of no return. Side by side the offsets"
                " of protected groups are made the same.",
                "Type": "Parallel",
                "Branches": [branch("BeginReverse", _reverse()), branch("BeginSyncOffsets", _sync("SyncOffsets"))],
                "Catch": [catch("FenceLifted", to="WasFencedAgain"), *doubtful(to="PutBack")],
                "Next": "HasHooksAfterPromotion",
            },
            **_fence_again(then="BeginFence", else_to="PutBack"),
            "PutBack": _put_back(then="HasHooksGivenUp", past_no_return="BeginPromote"),
            **hooks_or_stop("HooksGivenUp", "after-switch-back", then="BeginStandDown", put_back=True),
            **_promote(then="CarryOffsets"),
            "CarryOffsets": side_by_side(
                "BeginPromote",
                "What was not made the same beside the reverse.",
                [branch("BeginSyncAgain", _sync("SyncAgain"))],
                then="HasHooksAfterPromotion",
            ),
            **hooks_or_stop("HooksAfterPromotion", "after-promotion", then="BeginToLead"),
            **leads(then="LeadOver"),
            "LeadOver": side_by_side(
                "LeadOver",
                "The standby is writable. Route its fleets to it, and then point the client hostname at them; side by"
                " side lead the gateways over that clients still come through.",
                [
                    branch("PrepareFleets", prepare_and_flip()),
                    branch("LeadFleetsOver", lead_over()),
                    branch("RerouteFleets", reroute("${RouteDeadlineSeconds}")),
                ],
                then="HasHooksAfterName",
            ),
            **hooks_or_stop("HooksAfterName", "after-name", then="BeginVerify"),
            **verify(then="BeginLookBack"),
            **_look_back(then="HasHooksSwitchBack"),
            **hooks_or_stop("HooksSwitchBack", "after-switch-back", then="BeginConclude"),
            **conclude(),
            **stand_down(error=jsonata("$doubt")),
            **announce(),
            **stop_and_resume(RESUMED_AT),
        },
    )


def _fence(then: str) -> States:
    return step(
        "Fence",
        call(
            "Fence",
            EXECUTION | {"everywhere": True},
            comment="Stop reads and writes at every gateway that leads to the site that is left.",
            Catch=doubtful(to="PutBack"),
        ),
        deadline="${FenceDeadlineSeconds}",
        then=then,
        late=too_slow("fence", to="PutBack"),
    )


def _drain(then: str) -> States:
    return step(
        "Drain",
        call(
            "DrainMirrors",
            EXECUTION.copy(),
            comment="Wait until both logs of every partition end alike.",
            Catch=doubtful(to="PutBack"),
        ),
        deadline="$claimed.drain_timeout_seconds",
        then=then,
        late=too_slow("drain_mirrors", to="PutBack"),
    )


def _fence_again(then: str, else_to: str) -> States:
    """Before anything is reversed, another tool led a fenced gateway back: what was written through it meanwhile has to
    be drained. Once; a tool that does it again would do so for ever."""
    return {
        "WasFencedAgain": {
            "Type": "Choice",
            "Choices": [choice("$doubt.Error = 'FenceLifted'", else_to)],
            "Default": "FenceAgain",
        },
        "FenceAgain": {"Type": "Pass", "Assign": {"doubt": jsonata("$states.input")}, "Next": then},
    }


def _reverse() -> States:
    return {
        **step(
            "Reverse",
            call("ReverseMirrors", EXECUTION.copy(), comment="Source and mirror change places, until all are STOPPED."),
            deadline="$claimed.promotion_timeout_seconds",
            then="ReverseEnd",
            late=too_late("reverse_mirrors"),
        ),
        "ReverseEnd": END,
    }


def _sync(name: str) -> States:
    """What could not be made the same is in the report, and holds nothing up: a group then reads some records again."""
    task = call("SyncOffsets", EXECUTION.copy(), Catch=[catch("States.ALL", to=f"{name}End")])
    return {
        **step(
            name,
            task,
            deadline="${SyncOffsetsDeadlineSeconds}",
            then=f"{name}End",
            late={"Type": "Pass", "Next": f"{name}End"},
        ),
        f"{name}End": END.copy(),
    }


def _put_back(then: str, past_no_return: str) -> State:
    everywhere = "$append($append($claimed.fleets_joining, $claimed.fleets_staying), $claimed.fleets_leaving)"
    states = step(
        "PutBackFleet",
        call("SwitchRoutes", EXECUTION | FLEET | {"back": True}),
        deadline="${RouteDeadlineSeconds}",
        then="PutBackFleetEnd",
        late=too_late("switch_routes"),
        last_chance=True,
        assign={"fleet": jsonata("$states.input.fleet")},
        side_by_side=everywhere,
    )
    fleet_map = fleets(everywhere, "BeginPutBackFleet", states | {"PutBackFleetEnd": END.copy()})
    return {
        "Comment": "Given up: lead every fleet that is fenced back to the site that was to be left.",
        "Type": "Parallel",
        "Branches": [branch("PutBackFleets", {"PutBackFleets": fleet_map})],
        "Catch": [catch("PastNoReturn", to=past_no_return), *stops_at("PutBack")],
        "Next": then,
    }


def _promote(then: str) -> States:
    """Past the point of no return a reverse that does not end, or whose source has died, is failed over: nothing is
    lost by it, since both logs ended alike behind the fence."""
    return step(
        "Promote",
        call("PromoteMirrors", EXECUTION.copy(), Catch=stops_at("BeginPromote")),
        deadline="$claimed.promotion_timeout_seconds",
        then=then,
        late=stop("BeginPromote", "promote_mirrors"),
        last_chance=True,
        patience=PATIENCE_S,
    )


def _look_back(then: str) -> States:
    """Clients work; that the site that was left has no copy yet is in the report, and a matter of readiness."""
    return step(
        "LookBack",
        call(
            "ReverseMirrors",
            EXECUTION | {"look_back": True},
            comment="Whether the site that was left mirrors the other one by now.",
            Catch=[catch("LeaseLost", to="LeaseLost"), catch("States.ALL", to=then)],
        ),
        deadline="${LookBackDeadlineSeconds}",
        then=then,
        late={"Type": "Pass", "Next": then},
    )
