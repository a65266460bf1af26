"""Restore: the lost site is back, and becomes a mirror of the active one again.

Nothing of it is changed while anything is in doubt, and nothing is truncated that is not measured, and saved; nor is a
topic deleted, to be mirrored anew, whose link can't be reversed, unless the start says so. Until the first of these any
doubt, or a person's wish, ends it with what it found; from then on it goes forward only.
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
from statemachines.stages import approve, claim, doubtful, look_for_doubts, too_slow

DOUBT: State = {"doubt": jsonata("$states.errorOutput")}
DELETE_TOPICS: State = {"delete_topics": jsonata("$claimed.delete_topics")}
"""Whether the start consents to it, for topics whose link can't be reversed."""
RESUMED_AT = {
    "BeginRequestApproval": "BeginRequestApproval",
    "BeginRescue": "BeginPrecheck",
    "BeginRestore": "BeginPrecheck",
    "BeginConclude": "BeginRestore",
}
"""Where a redrive goes on that stopped at a state: whatever was truncated by then, what is left is measured anew."""


def restore() -> State:
    """The whole machine."""
    return machine(
        "Restore: the lost site is back, and becomes a mirror of the active one again.",
        "BeginClaim",
        {
            **claim("restore", then="BeginPrecheck"),
            **look_for_doubts(
                "PrecheckRestore", proceed="KeepClientsAway", ask="BeginRequestApproval", **DELETE_TOPICS
            ),
            **approve(then="KeepClientsAway"),
            "KeepClientsAway": _keep_clients_away(then="BeginMeasure"),
            **_measure(then="Measured"),
            "Measured": {
                "Type": "Choice",
                "Choices": [choice("$claimed.discard", "BeginRestore")],
                "Default": "BeginRescue",
            },
            **_rescue(then="BeginRestore"),
            **_restore(then="BeginConclude"),
            **conclude("The returned site mirrors the active one; report, release the lease."),
            **stand_down(error=jsonata("$doubt")),
            **announce(),
            **stop_and_resume(RESUMED_AT),
        },
    )


def _keep_clients_away(then: str) -> State:
    """The returned site's gateways still lead to it, if they were lost with it."""
    elsewhere = "$append($claimed.fleets_leaving, $claimed.fleets_staying)"
    states = step(
        "LeadAway",
        call("SwitchRoutes", EXECUTION | FLEET),
        deadline="${RouteDeadlineSeconds}",
        then="LeadAwayEnd",
        late=too_late("switch_routes"),
        last_chance=True,
        assign={"fleet": jsonata("$states.input.fleet")},
        side_by_side=elsewhere,
    )
    fleet_map = fleets(elsewhere, "BeginLeadAway", states | {"LeadAwayEnd": END})
    return {
        "Comment": "Lead the returned site's gateways to the active one: nobody may come to work on what is truncated.",
        "Type": "Parallel",
        "Branches": [branch("LeadFleetsAway", {"LeadFleetsAway": fleet_map})],
        "Catch": doubtful(to="BeginStandDown"),
        "Next": then,
    }


def _measure(then: str) -> States:
    """What can't be measured is no reason to stop with the lease kept: nothing was changed."""
    return step(
        "Measure",
        call(
            "MeasureDivergence",
            EXECUTION | DELETE_TOPICS,
            comment="Count exactly what the returned site holds beyond the active one.",
            Catch=doubtful(to="BeginStandDown"),
        ),
        deadline="${MeasureDeadlineSeconds}",
        then=then,
        late=too_slow("measure_divergence", to="BeginStandDown"),
        last_chance=True,
        patience=PATIENCE_S,
    )


def _rescue(then: str) -> States:
    """Every stranded record is saved before any is truncated; a start that says `discard` goes past it."""
    return step(
        "Rescue",
        call(
            "RescueRecords",
            EXECUTION.copy(),
            comment="Save what is stranded.",
            Catch=[
                catch("AbortRequested", "RescueIncomplete", to="BeginStandDown", assign=DOUBT),
                *stops_at("BeginRescue"),
            ],
        ),
        deadline="${RescueDeadlineSeconds}",
        then=then,
        late=stop("BeginRescue", "rescue_records"),
    )


def _restore(then: str) -> States:
    return step(
        "Restore",
        call(
            "RestoreMirrors",
            EXECUTION | DELETE_TOPICS | {"discard": jsonata("$claimed.discard")},
            comment="Truncate what is saved, and wait until every topic is an ACTIVE mirror of known lag.",
            Catch=[
                catch("AbortRequested", "RescueIncomplete", to="BeginStandDown", assign=DOUBT),
                *stops_at("BeginRestore"),
            ],
        ),
        deadline="${RestoreDeadlineSeconds}",
        then=then,
        late=stop("BeginRestore", "restore_mirrors"),
    )
