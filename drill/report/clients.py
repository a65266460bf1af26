"""The figures of each client of a pair. Pure."""

from __future__ import annotations

from drill.pair_accounts import PairAccount
from drill.report.model import ClientFigures


def client_figures(pair: PairAccount) -> tuple[ClientFigures, ClientFigures]:
    """Those of the writer, and those of the reader."""
    of, read = pair.account, pair.of_reader
    since = of.killed_at if pair.began_at is None else pair.began_at

    def seconds(at: float | None) -> float | None:
        return None if at is None else round(at - since, 3)

    writer = ClientFigures(
        family=pair.family,
        version=pair.version,
        settings=pair.settings,
        role="writer",
        recovered_s=seconds(of.first_acknowledged_by_standby),
        duplicates=of.stored_twice,
        lost=of.lost if pair.mirrored else None,
        skipped=None,
        out_of_order=pair.stored_out_of_order,
        errors=dict(pair.writer_errors),
    )
    reader = ClientFigures(
        family=pair.family,
        version=pair.version,
        settings=pair.settings,
        role="reader",
        recovered_s=seconds(read.first_consumed_from_standby),
        duplicates=read.duplicates,
        lost=None,
        skipped=read.skipped,
        out_of_order=pair.received_out_of_order,
        errors=dict(pair.reader_errors),
    )
    return writer, reader
