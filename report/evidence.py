"""What an execution saw, in rows: who spoke against the site, what did not answer, what each step came to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from failover.documents.whole_report import WholeReport
from report.wording import UNKNOWN, between, count, counted, listed, seconds

Row = tuple[str, ...]

_NOT_SHOWN: Final = frozenset({"evidence", "expected_loss", "votes", "known_unready", "execution", "answers", "would"})
_OUT_OF_REACH: Final = "out of reach"
_LISTED: Final = {
    "left_behind": "mirrors that are not STOPPED",
    "rejected": "refused",
    "unreachable": "gave no answer",
    "unreached": "name servers that gave no answer",
    "failed": "failed",
    "refused": "offsets refused",
    "unknown": "not known",
    "not_drained": "not drained",
    "not_told": "log ends not told",
    "not_back": "not mirrored back",
    "protocol_unknown": "groups of a protocol that nobody told",
    "unproven": "not proven",
}
"""What a step did not reach or could not do, by the field of what it observed."""
_FACTS: Final = 5


def decided(whole: WholeReport) -> Mapping[str, Any]:
    """What the decision stands on: what assess observed, or before a switchover precheck."""
    return whole["observed"].get("assess") or whole["observed"].get("precheck") or {}


def signals(decision: Mapping[str, Any], origin: float) -> list[Row]:
    """Site, source, what it says, since when, and why. `origin`: what times are counted from."""
    return [
        (
            signal["source"],
            signal["site"],
            "lost" if signal["says_lost"] else "well",
            f"{signal['since'] - origin:+.1f} s",
            signal["why"],
        )
        for signal in (decision.get("evidence") or {}).get("signals", ())
    ]


def probes(decision: Mapping[str, Any]) -> list[Row]:
    """Service, site, what came of asking it, how long that took, and why."""
    words = {True: "answers", False: "does not answer"}
    return [
        (
            probe["service"],
            probe["site"],
            words.get(probe["healthy"], UNKNOWN),
            seconds(probe.get("took_seconds")),
            probe.get("why", ""),
        )
        for probe in (decision.get("evidence") or {}).get("probes", ())
    ]


def mirrors(decision: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the mirrors were when it was decided."""
    evidence = decision.get("evidence") or {}
    facts = []
    if lag := evidence.get("lag"):
        unknown = (
            f"; of {counted(lag['unknown_partitions'], 'partition')} not known" if lag["unknown_partitions"] else ""
        )
        facts.append(
            ("Lag of the mirrors", f"{count(lag['records'])} records, {count(lag['largest'])} at most{unknown}")
        )
    if by_status := evidence.get("mirrors_by_status"):
        facts.append(("Mirrors by status", ", ".join(f"{number:,} {name}" for name, number in by_status.items())))
    if isolated := evidence.get("isolated_because"):
        facts.append(("The controller was cut off", str(isolated)))
    return facts


def trouble(whole: WholeReport) -> list[Row]:
    """Step, and what it did not reach or could not do."""
    report = whole["report"]
    rows = [row for step, observed in whole["observed"].items() for row in _trouble_of(step, observed)]
    ahead = report["consumers"]["ahead"]
    if ahead["label"] == "unknown" and report["loss"] is not None:
        rows.append(("check_offsets", "whether committed offsets are ahead of the data is not known"))
    return list(dict.fromkeys(rows))


def _trouble_of(step: str, observed: Mapping[str, Any]) -> Iterator[Row]:
    if why := observed.get("out_of_reach"):
        yield step, f"{_OUT_OF_REACH}: {why}"
    if short := (observed.get("capacity") or {}).get("short_because"):
        yield step, f"too small for all clients: {short}"
    for name, state in {**_texts(observed.get("fleets")), **_texts(observed.get("left_behind"))}.items():
        if _OUT_OF_REACH in state or "not proven" in state:
            yield step, f"{name}: {state}"
    for field, words in _LISTED.items():
        names = observed.get(field)
        if isinstance(names, list) and names:
            number = observed.get(f"{field}_count", len(names))
            yield step, f"{words}, {number:,}: {listed(map(str, names))}"


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}


def summary(observed: Mapping[str, Any]) -> str:
    """What a step observed, in a line."""
    facts = [
        f"{name.replace('_', ' ')}: {text}"
        for name, value in observed.items()
        if name not in _NOT_SHOWN and (text := _fact(value))
    ]
    return "; ".join(facts[:_FACTS])


def _fact(value: Any) -> str:
    match value:
        case None | False | "":
            return ""
        case bool():
            return "yes"
        case int() | float():
            return f"{value:,}"
        case {"low": int(low), "high": int(high)}:
            return between(low, high)
        case dict():
            return listed((f"{name} {text}" for name, text in value.items() if not isinstance(text, dict | list)), 4)
        case list():
            return listed(map(str, value), 3)
    return str(value)
