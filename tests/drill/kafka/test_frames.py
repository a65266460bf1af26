"""The stream of frames: whatever the pieces it is read in, the same bytes go out, each frame looked at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.kafka.frames import Frames, NotKafka
from drill.network.splice import Bytes
from tests.claims import reaches

PASS, REPLACE, DROP = b"p", b"r", b"d"


def frame(kind: bytes, body: bytes) -> bytes:
    return (1 + len(body)).to_bytes(4, "big") + kind + body


def look(seen: memoryview) -> int | Bytes | None:
    """Pass frames of kind p, put `<body>` in place of those of kind r, drop those of kind d."""
    if len(seen) < 5:
        return 5
    kind = bytes(seen[4:5])
    whole = 4 + int.from_bytes(seen[:4], "big")
    if kind == PASS:
        return None
    if len(seen) < whole:
        return whole
    return b"<" + bytes(seen[5:]) + b">" if kind == REPLACE else b""


def sent(pieces: list[bytes], frames: Frames) -> bytes:
    return b"".join(bytes(frames(memoryview(bytearray(piece)))) for piece in pieces)


@given(
    st.lists(st.tuples(st.sampled_from([PASS, REPLACE, DROP]), st.binary(max_size=40)), max_size=12),
    st.lists(st.integers(0, 99), min_size=1, max_size=30),
)
def test_pieces_make_no_difference(messages: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(frame(*message) for message in messages)
    at = sorted({0, len(stream), *(cut * len(stream) // 100 for cut in cuts)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(at)]
    wanted: dict[bytes, Callable[[bytes], bytes]] = {
        PASS: lambda body: frame(PASS, body),
        REPLACE: lambda body: b"<" + body + b">",
        DROP: lambda _: b"",
    }
    reaches(len(pieces) > 2)
    assert sent(pieces, Frames(look)) == b"".join(wanted[kind](body) for kind, body in messages)


def test_what_passes_is_not_copied() -> None:
    data = memoryview(frame(PASS, b"x" * 100) + frame(PASS, b"y" * 100))
    frames = Frames(look)
    first, second = data[:150], data[150:]
    assert frames(first) is first
    assert frames.amid
    assert frames(second) is second
    assert not frames.amid


def test_frames_of_our_own_wait_for_the_end_of_the_one_on_its_way() -> None:
    frames = Frames(look)
    long, next_one = frame(PASS, b"x" * 10), frame(PASS, b"z")
    begun = sent([long[:8]], frames)
    frames.after_this(b"ours")
    assert begun + sent([long[8:] + next_one], frames) == long + b"ours" + next_one


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n", b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_what_is_not_kafka_is_refused(start: bytes) -> None:
    with pytest.raises(NotKafka):
        Frames(look)(memoryview(start))
