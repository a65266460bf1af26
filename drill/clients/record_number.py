"""The number that every record of the drill carries in a header: unique in the run, rising within a partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HEADER = "n"


def headers_of(n: int) -> list[tuple[str, str | bytes | None]]:
    """The headers of record `n`."""
    return [(HEADER, str(n).encode())]


def number_of(headers: Any) -> int | None:
    """The number of a record with these headers; None if it carries none, so is not the producer's."""
    if not isinstance(headers, Sequence):
        return None
    for name, value in headers:
        if name == HEADER and isinstance(value, bytes) and value.isdigit():
            return int(value)
    return None
