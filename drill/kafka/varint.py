"""Unsigned numbers of variable length, seven bits a byte, as Kafka's flexible messages have them."""

from __future__ import annotations

from drill.network.splice import Bytes


def varint(data: Bytes, at: int) -> tuple[int, int]:
    """The number that stands at `at`, and where it ends.

    Raises:
        IndexError: if it does not end.
    """
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def as_varint(value: int) -> bytes:
    """A number on the wire."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
