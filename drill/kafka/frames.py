"""A stream of Kafka frames, looked at frame by frame as it passes; only a frame that must be seen whole is gathered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from drill.network.splice import Bytes

SIZE_BYTES: Final = 4
LARGEST: Final = 256 * 1024 * 1024


class NotKafka(ConnectionError):
    """What a connection sends can't be a Kafka frame; the connection is closed."""


Look = Callable[[memoryview], "int | Bytes | None"]
"""Given a frame from its size on, as far as it has come: how many bytes of it must be there to decide, if they are not;
else what to send in its place; else None, to send it as it is."""


class Frames:
    """One direction of a connection. Call it with what was read; what it returns is to be sent on."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._remaining = 0
        self._begun = bytearray()
        self._needed = 0
        self._after = bytearray()

    @property
    def amid(self) -> bool:
        """Whether a frame is half sent."""
        return self._remaining > 0

    def after_this(self, data: Bytes) -> None:
        """Have whole frames sent as soon as the one that is on its way is through."""
        self._after += data

    def __call__(self, data: memoryview) -> Bytes:
        if len(data) < self._remaining:
            self._remaining -= len(data)
            return data
        if self._begun:
            self._begun += data
            if len(self._begun) < self._needed:
                return b""
            data, self._begun = memoryview(self._begun), bytearray()
        out: list[Bytes] = []
        at = sent_to = 0
        while at < len(data):
            if not self._remaining:
                verdict = self._frame(data, at)
                if verdict is None:
                    out.append(data[sent_to:at])
                    sent_to = len(data)
                    break
                size, instead = verdict
                if instead is not None:
                    out += (data[sent_to:at], instead, self._take_after())
                    at += size
                    sent_to = at
                    continue
                self._remaining = size
            step = min(self._remaining, len(data) - at)
            self._remaining -= step
            at += step
            if not self._remaining and self._after:
                out += (data[sent_to:at], self._take_after())
                sent_to = at
        return b"".join((*out, data[sent_to:])) if out else data

    def _frame(self, data: memoryview, at: int) -> tuple[int, Bytes | None] | None:
        """The length of the frame that begins here and what is sent instead; None if more of it must come first."""
        frame = data[at : at + LARGEST]
        needed = SIZE_BYTES
        if len(frame) >= SIZE_BYTES:
            length = SIZE_BYTES + int.from_bytes(frame[:SIZE_BYTES], "big", signed=True)
            if not SIZE_BYTES < length <= LARGEST:
                raise NotKafka(f"a frame of {length} bytes")
            verdict = self._look(frame[:length])
            if not isinstance(verdict, int):
                return length, verdict
            needed = verdict
        self._begun = bytearray(frame)
        self._needed = needed
        return None

    def _take_after(self) -> Bytes:
        after, self._after = self._after, bytearray()
        return after
