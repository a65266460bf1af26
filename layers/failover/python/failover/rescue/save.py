"""From the returned site's partitions into S3, in as much memory however much there is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from typing import Final

from failover.errors import RescueIncomplete
from failover.kafka.client import Settings
from failover.kafka.range_reader import Part, RangeReader
from failover.rescue.archive import Archive, Segment, total, with_segment
from failover.rescue.line import line_of
from failover.rescue.stranded import Saved, Spot, StrandedRange

READ_S: Final = 8.0
"""Of a call's 20 seconds; the rest is for what is on its way to S3."""
SEGMENT_BYTES: Final = 4 * 1024 * 1024
BUFFERED_BYTES: Final = 24 * 1024 * 1024
"""Of all partitions together, before the longest is written."""
_UPLOADS: Final = 4
_PARTITIONS: Final = 64
"""Read side by side."""
_WAIT_S: Final = 0.25


@dataclass(kw_only=True)
class _Buffer:
    """What is read of a partition and not yet handed to S3."""

    begin: int
    end: int
    body: BytesIO = field(default_factory=BytesIO)
    records: int = 0
    gone: int = 0

    @property
    def size(self) -> int:
        """Bytes of its body."""
        return self.body.tell()


def save_ranges(
    chosen: Settings,
    archive: Archive,
    ranges: Sequence[StrandedRange],
    recorded: Mapping[Spot, Saved],
    *,
    without_gone: bool,
) -> dict[Spot, Saved]:
    """Save ranges for `READ_S`, from where S3 says that they are saved to; answers how far they are by then.

    A partition is at its end only once its index is written, from what S3 has.

    Raises:
        RescueIncomplete: records are not on the site any more, and the plan does not want to go on without them.
        KafkaUnavailable, KafkaUnauthorized, ServiceUnavailable, ServiceRejected
    """
    deadline = time.monotonic() + READ_S
    progress: dict[Spot, Saved] = dict(recorded)
    unsaved = iter([entry for entry in ranges if not _is_saved(entry, recorded.get(entry.spot))])
    with RangeReader(chosen) as reader, ThreadPoolExecutor(max_workers=_UPLOADS) as pool:
        while time.monotonic() < deadline and (batch := list(islice(unsaved, _PARTITIONS))):
            begun = [recorded.get(entry.spot, Saved(begin=entry.begin, next_offset=entry.begin)) for entry in batch]
            reached = list(
                pool.map(lambda pair: archive.reached(pair[0].spot, pair[1]), zip(batch, begun, strict=True))
            )
            progress |= {entry.spot: saved for entry, saved in zip(batch, reached, strict=True)}
            _Saving(reader, archive, pool, progress, without_gone=without_gone).run(batch, deadline)
            complete = [entry for entry in batch if _is_saved(entry, progress[entry.spot])]
            for entry, saved in zip(complete, pool.map(lambda entry: _index(archive, entry), complete), strict=True):
                progress[entry.spot] = saved
    return progress


def _is_saved(entry: StrandedRange, saved: Saved | None) -> bool:
    return saved is not None and saved.begin <= entry.begin and saved.next_offset >= entry.end


def _index(archive: Archive, entry: StrandedRange) -> Saved:
    """What S3 has of a partition; its index, if that is all of it."""
    chain = archive.chain(entry.spot, entry.begin)
    saved = total(entry.begin, chain)
    if _is_saved(entry, saved):
        archive.put_index(entry, chain)
    return saved


class _Saving:
    """One batch of partitions on its way from the reader to S3."""

    def __init__(
        self,
        reader: RangeReader,
        archive: Archive,
        pool: ThreadPoolExecutor,
        progress: dict[Spot, Saved],
        *,
        without_gone: bool,
    ) -> None:
        self._reader = reader
        self._archive = archive
        self._pool = pool
        self._progress = progress
        self._without_gone = without_gone
        self._buffers: dict[Spot, _Buffer] = {}
        self._uploads: deque[tuple[Spot, Future[Segment]]] = deque()

    def run(self, batch: Sequence[StrandedRange], deadline: float) -> None:
        """Read until every range is at its end, or the time is up; all that was read is then in S3."""
        ends = {entry.spot: entry.end for entry in batch}
        starts = {spot: self._progress[spot].next_offset for spot in ends}
        self._reader.add({spot: (starts[spot], end) for spot, end in ends.items() if starts[spot] < end})
        while self._reader.unread and time.monotonic() < deadline:
            for part in self._reader.read(min(_WAIT_S, max(0.0, deadline - time.monotonic()))):
                self._keep(part)
        for spot in list(self._buffers):
            self._upload(spot)
        while self._uploads:
            self._finish_upload()

    def _keep(self, part: Part) -> None:
        if part.gone and not self._without_gone:
            topic, partition = part.spot
            raise RescueIncomplete(
                f"{topic}[{partition}]: {part.gone:,} stranded offsets from {part.begin:,} on are not on the site any"
                " more: they expired, or the topic was deleted. Nothing was truncated. To go on without them, and count"
                " them as lost, set rescue.on_gone of the plan to go-on"
            )
        buffer = self._buffers.setdefault(part.spot, _Buffer(begin=part.begin, end=part.begin))
        buffer.body.writelines(map(line_of, part.messages))
        buffer.end, buffer.records, buffer.gone = part.end, buffer.records + len(part.messages), buffer.gone + part.gone
        if buffer.size >= SEGMENT_BYTES or part.spot not in self._reader.unread:
            self._upload(part.spot)
        elif sum(other.size for other in self._buffers.values()) >= BUFFERED_BYTES:
            self._upload(max(self._buffers, key=lambda spot: self._buffers[spot].size))

    def _upload(self, spot: Spot) -> None:
        """Of one partition a segment follows on another that is there: who is killed leaves no hole."""
        buffer = self._buffers.pop(spot)
        while len(self._uploads) >= _UPLOADS or any(uploading == spot for uploading, _ in self._uploads):
            self._finish_upload()
        upload = self._pool.submit(
            self._archive.put,
            spot,
            buffer.body.getvalue(),
            begin=buffer.begin,
            end=buffer.end,
            records=buffer.records,
            gone=buffer.gone,
        )
        self._uploads.append((spot, upload))

    def _finish_upload(self) -> None:
        spot, upload = self._uploads.popleft()
        self._progress[spot] = with_segment(self._progress[spot], upload.result())
