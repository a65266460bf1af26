"""The messages of a login, for every version that kio knows, too."""

from __future__ import annotations

import datetime
import struct
from typing import Any

import pytest
from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from drill.kafka import sasl
from drill.kafka.api_versions import at_most, with_apis
from drill.kafka.codec import read_request, response_to, written
from drill.kafka.messages import API_VERSIONS, SASL_AUTHENTICATE, SASL_HANDSHAKE, framed
from drill.kafka.refusal import _filled, _item

TOKEN = sasl.plain("alice", "s3:cret" * 30)


def request(api_key: int, version: int, **fields: Any) -> bytes:
    schema = load_request_schema(api_key, version)
    tags = b"\0" if schema.__header_schema__.__version__ == 2 else b""
    header = struct.pack(">hhih", api_key, version, 77, 2) + b"me" + tags
    return framed(header + written(schema, _filled(schema, ErrorCode.none, **fields)))


def decoded(api_key: int, version: int, frame: bytes) -> Any:
    schema = load_response_schema(api_key, version)
    assert struct.unpack_from(">ii", frame) == (len(frame) - 4, 77)
    body = 9 if schema.__header_schema__.__version__ == 1 else 8
    message, size = entity_reader(schema)(frame, body)
    assert body + size == len(frame)
    return message


def test_a_handshake_for_plain() -> None:
    frame = request(SASL_HANDSHAKE, 1, mechanism="PLAIN")
    assert sasl.mechanism_in(1, frame) == "PLAIN"
    answer = decoded(SASL_HANDSHAKE, 1, sasl.handshake_answer(frame, sasl.UNSUPPORTED_MECHANISM))
    assert (answer.error_code, answer.mechanisms) == (ErrorCode.unsupported_sasl_mechanism, ("PLAIN",))
    with pytest.raises(sasl.BadLogin):
        sasl.mechanism_in(0, request(SASL_HANDSHAKE, 0, mechanism="PLAIN"))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_only_the_token_of_a_login_is_swapped(version: int) -> None:
    frame = request(SASL_AUTHENTICATE, version, auth_bytes=TOKEN)
    assert sasl.token_in(version, frame) == TOKEN
    other = sasl.with_token(version, frame, b"another")
    assert other[4:16] == frame[4:16]
    assert int.from_bytes(other[:4], "big") == len(other) - 4
    assert read_request(SASL_AUTHENTICATE, version, other).auth_bytes == b"another"
    assert sasl.with_token(version, other, TOKEN) == frame


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("refused", [None, "", "wrong " * 40])
def test_a_login_is_answered(version: int, refused: str | None) -> None:
    frame = request(SASL_AUTHENTICATE, version, auth_bytes=TOKEN)
    sent = sasl.authenticate_answer(version, frame, refused, 5000)
    answer = decoded(SASL_AUTHENTICATE, version, sent)
    expected = ErrorCode.none if refused is None else ErrorCode.sasl_authentication_failed
    assert (answer.error_code, answer.error_message, answer.auth_bytes) == (expected, refused, b"")
    assert sasl.is_accepted(version, sent) is (refused is None)
    if version:
        assert answer.session_lifetime == datetime.timedelta(seconds=5)


@pytest.mark.parametrize(
    ("token", "user"),
    [
        (TOKEN, "alice"),
        (b"alice" + TOKEN, "alice"),  # who it is for is named, too
        (sasl.plain("alice", "s3"), None),
        (sasl.plain("bob", "s3:cret" * 30), None),
        (sasl.plain("", ""), None),
        (b"", None),
        (b"\xff\0\xff\0\xff", None),
    ],
)
def test_a_user_is_known_by_the_password(token: bytes, user: str | None) -> None:
    assert sasl.user_of(token, {"alice": "s3:cret" * 30}) == user


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("count", [0, 5, 130])
def test_what_a_cluster_can_do_is_told_with_the_login(version: int, count: int) -> None:
    schema = load_response_schema(API_VERSIONS, version)
    item = _item(schema, "api_keys")
    keys = tuple(_filled(item, ErrorCode.none, api_key=n, max_version=3) for n in range(count))
    frame = response_to(request(API_VERSIONS, version), schema, _filled(schema, ErrorCode.none, api_keys=keys))
    told = decoded(API_VERSIONS, version, bytes(with_apis(version, frame, sasl.SERVED))).api_keys
    assert {(each.api_key, each.max_version) for each in told if each.api_key in (17, 36)} >= {(17, 1), (36, 2)}
    assert [each.api_key for each in told[2:]] == list(range(count))


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
def test_versions_that_are_not_understood_are_not_told(version: int) -> None:
    schema = load_response_schema(API_VERSIONS, version)
    item = _item(schema, "api_keys")
    keys = tuple(_filled(item, ErrorCode.none, api_key=n, min_version=1, max_version=n + 5) for n in range(10))
    whole = _filled(schema, ErrorCode.none, api_keys=keys)
    frame = response_to(request(API_VERSIONS, version), schema, whole)
    told = decoded(API_VERSIONS, version, bytes(at_most(version, frame, {3: 7, 9: 20})))
    assert {each.api_key: each.max_version for each in told.api_keys} == {n: n + 5 for n in range(10)} | {3: 7}
    assert at_most(version, frame, {9: 14}) is frame


def test_the_refusal_of_a_version_is_laid_out_as_version_0_which_every_client_reads() -> None:
    frame = bytes.fromhex("000000110000004d00230100120000000200000000")  # the mock's
    assert with_apis(4, frame, sasl.SERVED) is frame, "only which version to ask in"
    refusal = bytes(at_most(4, frame, {18: 0}))
    told = decoded(API_VERSIONS, 0, refusal)
    assert told.error_code is ErrorCode.unsupported_version
    assert [(each.api_key, each.min_version, each.max_version) for each in told.api_keys] == [(18, 0, 2)]
    assert refusal[4:8] == frame[4:8], "of the same request"
    assert len(refusal) == 4 + int.from_bytes(refusal[:4], "big")
