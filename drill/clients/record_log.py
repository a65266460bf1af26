"""The clients' logs: one line an event, read back record by record, or tailed while they are written.

A line is a letter and its fields, split by single spaces; times are seconds since 1970 on the machine's one clock:

    s n topic partition time                  sent: handed to the client
    a n topic partition offset time           acknowledged
    f n topic partition time error            given up by the client
    r n topic partition offset time           received
    p time what detail                        partitions: assigned, revoked, lost
    e time code detail                        an error the client told of and goes on from
    x time code detail                        an error that is fatal to the client
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

FLUSH_S = 0.1
Key = tuple[str, int]
"""A partition: (topic, partition)."""


class BadRecordLog(ValueError):
    """A client's log holds a line that is no event of a client."""

    def __init__(self, line: str) -> None:
        super().__init__(f"{line!r} is no event of a client's log; was the file written by something else?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    n: int
    topic: str
    partition: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    n: int
    topic: str
    partition: int
    offset: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    n: int
    topic: str
    partition: int
    at: float
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    n: int
    topic: str
    partition: int
    offset: int
    at: float


@dataclass(frozen=True, slots=True)
class Notice:
    """What a client told besides records. `kind`: assigned, revoked, lost, error or fatal."""

    at: float
    kind: str
    detail: str


Event = Sent | Acknowledged | Failed | Received | Notice


@dataclass(frozen=True, kw_only=True)
class ProducerLog:
    """All that the producer wrote down, each kind in the order it happened."""

    sent: tuple[Sent, ...] = ()
    acknowledged: tuple[Acknowledged, ...] = ()
    failed: tuple[Failed, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class ConsumerLog:
    """All that the consumer wrote down, in the order it happened."""

    received: tuple[Received, ...] = ()
    notices: tuple[Notice, ...] = ()


class RecordLog:
    """Writes a client's log; one thread. Lines reach the file at most `FLUSH_S` seconds late if `tick` is called."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1 << 20)
        self._flushed_at = time.monotonic()

    def write(self, line: str) -> None:
        """Add a line, given without its end."""
        self._file.write(line + "\n")

    def notice(self, letter: str, what: str, detail: str) -> None:
        """Add a line of partitions (`p`), an error (`e`) or a fatal one (`x`)."""
        self.write(f"{letter} {time.time():.6f} {what} {' '.join(detail.split())}")

    def tick(self) -> None:
        """Flush, if that is due."""
        if time.monotonic() - self._flushed_at >= FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Hand every line to the file."""
        self._file.flush()
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Flush what is left."""
        self._file.close()


@dataclass
class LogTail:
    """Reads on in a log that is being written; a line not yet ended waits for the next call."""

    path: Path
    _position: int = 0
    _rest: bytes = field(default=b"", repr=False)

    def read(self) -> list[Event]:
        """The events written since the last call; none as long as there is no file."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                chunk = file.read()
        except FileNotFoundError:
            return []
        self._position += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [parse(line.decode()) for line in lines if line]


def parse(line: str) -> Event:
    """The event that a line stands for.

    Raises:
        BadRecordLog: if it stands for none.
    """
    try:
        match line.split(" "):
            case ["s", n, topic, partition, at]:
                return Sent(n=int(n), topic=topic, partition=int(partition), at=float(at))
            case ["a", n, topic, partition, offset, at]:
                return Acknowledged(n=int(n), topic=topic, partition=int(partition), offset=int(offset), at=float(at))
            case ["f", n, topic, partition, at, *error]:
                return Failed(n=int(n), topic=topic, partition=int(partition), at=float(at), error=" ".join(error))
            case ["r", n, topic, partition, offset, at]:
                return Received(n=int(n), topic=topic, partition=int(partition), offset=int(offset), at=float(at))
            case ["p", at, what, *detail]:
                return Notice(float(at), what, " ".join(detail))
            case ["e", at, *detail]:
                return Notice(float(at), "error", " ".join(detail))
            case ["x", at, *detail]:
                return Notice(float(at), "fatal", " ".join(detail))
    except ValueError:
        pass
    raise BadRecordLog(line)


def producer_log(path: Path) -> ProducerLog:
    """The producer's whole log.

    Raises:
        BadRecordLog: if a line is none of a client's.
    """
    events = _events(path)
    return ProducerLog(
        sent=tuple(event for event in events if isinstance(event, Sent)),
        acknowledged=tuple(event for event in events if isinstance(event, Acknowledged)),
        failed=tuple(event for event in events if isinstance(event, Failed)),
        notices=_notices(events),
    )


def consumer_log(path: Path) -> ConsumerLog:
    """The consumer's whole log.

    Raises:
        BadRecordLog: if a line is none of a client's.
    """
    events = _events(path)
    return ConsumerLog(tuple(event for event in events if isinstance(event, Received)), _notices(events))


def _events(path: Path) -> list[Event]:
    return LogTail(path).read()


def _notices(events: Iterable[Event]) -> tuple[Notice, ...]:
    return tuple(event for event in events if isinstance(event, Notice))
