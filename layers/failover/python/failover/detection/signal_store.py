"""Signals in the ledger: what each source last said of a site, whatever the order its words arrive in."""

from __future__ import annotations

from collections.abc import Iterable

from failover.detection.evidence import LAPSE_S, Signal, View, unbroken, with_newer
from failover.ledger.dynamodb import sortable
from failover.ledger.ledger import Ledger

ADVISORY_RETENTION_S = 30 * 86_400
"""Each incident is a source of its own, and says nothing more once it is over."""


def save_signal(book: Ledger, plan: str, signal: Signal, gap: float) -> bool:
    """Keep a signal unless a later one, by its own time, of the same source is kept; says whether it was kept.

    What a probe says is one sight; since when it says so is told from the one before, at most `gap` seconds older.

    Raises:
        LedgerUnavailable
    """
    if signal.kind == "probe" and signal.says_lost:
        values = {"why": signal.why, "clock_ahead": signal.clock_ahead}
        for silence, renewed in ((gap, values), (LAPSE_S, values | {"since": sortable(signal.since)})):
            if book.extend_if_unchanged(
                plan, _sort(signal), same={"says_lost": True}, values=renewed, at=signal.at, gap=silence
            ):
                return True
    return _keep(book, plan, signal)


def _sort(signal: Signal) -> str:
    return "#".join(("signal", *filter(None, signal.key)))


def _keep(book: Ledger, plan: str, signal: Signal) -> bool:
    values = {
        "site": signal.site,
        "source": signal.source,
        "says_lost": signal.says_lost,
        "since": sortable(signal.since),
        "lost_since": sortable(signal.lost_since or signal.since),
        "why": signal.why,
        "kind": signal.kind,
        "vantage": signal.vantage,
        "region": signal.region,
        "silenced": signal.silenced,
        "clock_ahead": signal.clock_ahead,
    } | ({"expires": int(signal.at) + ADVISORY_RETENTION_S} if signal.kind == "advisory" else {})
    return book.put_if_newer(plan, _sort(signal), values, signal.at)


def signals(book: Ledger, plan: str, prefix: str = "signal#") -> list[Signal]:
    """The last signal of every source, of both sites.

    Raises:
        LedgerUnavailable
    """
    return [
        Signal(
            site=item["site"],
            source=item["source"],
            says_lost=item["says_lost"],
            at=float(item["at"]),
            since=float(item["since"]),
            lost_since=_other(item.get("lost_since"), item["since"]),
            why=item["why"],
            kind=item.get("kind", "alarm"),
            vantage=item.get("vantage", ""),
            region=item.get("region", ""),
            silenced=item.get("silenced", False),
            read_at=float(item["read_at"]) if "read_at" in item else None,
            clock_ahead=item.get("clock_ahead", 0),
        )
        for item in book.list_items(plan, prefix)
    ]


def _other(lost_since: str | None, since: str) -> float | None:
    return None if lost_since in (None, since) else float(lost_since)


def save_reading(book: Ledger, plan: str, signal: Signal) -> bool:
    """Keep what an alarm that was read again says now, unless it has changed since; says whether it was kept.

    Raises:
        LedgerUnavailable
    """
    reading = {"says_lost": signal.says_lost, "silenced": signal.silenced, "why": signal.why}
    return book.set_if_unchanged(
        plan, _sort(signal), {"at": sortable(signal.at)}, reading | {"read_at": sortable(signal.read_at or signal.at)}
    )


def merge_observation(book: Ledger, plan: str, stored: Iterable[Signal], view: View, gap: float) -> tuple[Signal, ...]:
    """The known signals, and what is seen right now in the place of what was seen from here before; that is kept, too.

    Raises:
        LedgerUnavailable
    """
    stored = tuple(stored)
    observed = [_unbroken(signal, stored, gap) for signal in view.signals()]
    for signal in observed:
        _keep(book, plan, signal)
    return with_newer(stored, observed)


def _unbroken(signal: Signal, stored: Iterable[Signal], gap: float) -> Signal:
    before = (earlier for earlier in stored if earlier.key == signal.key)
    return unbroken(signal, next(before, None), gap)
