"""The figures of each client of a pair. Pure."""

from __future__ import annotations

from drill.pair_accounts import PairAccount
from drill.report.model import ClientFigures


def client_figures(pair: PairAccount) -> tuple[ClientFigures, ClientFigures]:
    """Those of the writer, and those of the reader."""
    of = pair.account

    def seconds(at: float | None) -> float | None:
        return None if at is None else round(at - of.killed_at, 3)

    writer = ClientFigures(
        family=pair.family,
        version=pair.version,
        settings=pair.settings,
        role="writer",
        recovered_s=seconds(of.first_acknowledged_by_standby),
        duplicates=of.stored_twice,
        lost=of.lost,
        skipped=None,
        out_of_order=pair.stored_out_of_order,
        errors=dict(pair.writer_errors),
    )
    reader = ClientFigures(
        family=pair.family,
        version=pair.version,
        settings=pair.settings,
        role="reader",
        recovered_s=seconds(of.first_consumed_from_standby),
        duplicates=of.duplicates,
        lost=None,
        skipped=of.skipped,
        out_of_order=of.out_of_order,
        errors=dict(pair.reader_errors),
    )
    return writer, reader
