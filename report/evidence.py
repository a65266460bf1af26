"""What an execution saw, in rows: who spoke against the site, what did not answer, what each step came to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from failover.documents.whole_report import WholeReport
from report.wording import UNKNOWN, between, clock, count, counted, listed, seconds

Row = tuple[str, ...]

_NOT_SHOWN: Final = frozenset({"evidence", "expected_loss", "votes", "known_unready", "execution", "answers", "would"})
_OUT_OF_REACH: Final = "out of reach"
_SILENT: Final = " did not answer: "
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
    return [
        (
            probe["service"],
            probe["site"],
            _answer(probe),
            seconds(probe.get("took_seconds")),
            probe.get("why", ""),
        )
        for probe in (decision.get("evidence") or {}).get("probes", ())
    ]


def _answer(probe: Mapping[str, Any]) -> str:
    """What a probe tells: of a gateway no more than that its port takes connections, which a dead site's may do."""
    if probe["healthy"] is None:
        return UNKNOWN
    takes = probe["service"] == "gateway"
    if probe["healthy"]:
        return "takes connections" if takes else "answers"
    return "takes no connection" if takes else "does not answer"


def lost_since(decision: Mapping[str, Any], site: str) -> float | None:
    """Since when the first of those that say so says that a site is lost; None: nobody does."""
    return min((signal["since"] for signal in _against(decision, site)), default=None)


def votes(decision: Mapping[str, Any], site: str) -> list[str]:
    """Who says that a site is lost, since when, and when they said so last."""
    told = {
        signal["source"]: f"since {clock(signal['since'])} UTC, and said so last at {clock(signal['at'])} UTC"
        for signal in _against(decision, site)
    }
    names = list(decision.get("votes") or ())
    return [f"{name}: {told[name]}" if name in told else name for name in names]


def _against(decision: Mapping[str, Any], site: str) -> list[Mapping[str, Any]]:
    signals = (decision.get("evidence") or {}).get("signals", ())
    return [signal for signal in signals if signal["says_lost"] and signal["site"] == site]


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
    """Steps, and what they did not reach or could not do; what several met is said once."""
    report = whole["report"]
    rows = [(step, _in_short(what)) for step, what in _every_trouble(whole)]
    ahead = report["consumers"]["ahead"]
    if ahead["label"] == "unknown" and report["loss"] is not None:
        rows.append(("check_offsets", "whether committed offsets are ahead of the data is not known"))
    steps_of: dict[str, list[str]] = {}
    for step, what in rows:
        if step not in steps_of.setdefault(what, []):
            steps_of[what].append(step)
    return [(", ".join(steps), what) for what, steps in steps_of.items()]


def trouble_in_full(whole: WholeReport) -> list[str]:
    """The same in the words of the libraries, where these are more."""
    every = [(step, what) for step, what in _every_trouble(whole) if what != _in_short(what)]
    return list(dict.fromkeys(f"{step}: {what}" for step, what in every))


def _every_trouble(whole: WholeReport) -> Iterator[tuple[str, str]]:
    for step, observed in whole["observed"].items():
        yield from _trouble_of(step, observed)


def _in_short(what: str) -> str:
    """Who did not answer, without how a library says so."""
    who, silent, _ = what.partition(_SILENT)
    return f"{who.rpartition(f'{_OUT_OF_REACH}: ')[2]} did not answer" if silent else what


def _trouble_of(step: str, observed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
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
        if name not in _NOT_SHOWN and (text := _in_short(_fact(value)))
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
            texts = ((name, _in_short(str(text))) for name, text in value.items() if not isinstance(text, dict | list))
            return listed((f"{name} {text}" for name, text in texts), 4)
        case list():
            return listed(map(str, value), 3)
    return str(value)
