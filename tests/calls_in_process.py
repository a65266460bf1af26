"""AWS calls of the test's own process reach its moto server as WSGI, without a socket and a thread for each: the same
application answers, in half the time. Other processes, and calls to any other address, go over HTTP."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.datastructures import Headers
from werkzeug.test import create_environ, run_wsgi_app


@contextlib.contextmanager
def calls_in_process(endpoint: str, application: Any) -> Iterator[None]:
    """While it lasts, the SDK's requests to `endpoint` are answered by the WSGI application that serves there."""
    over_http = URLLib3Session.send

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        if not str(request.url).startswith(f"{endpoint}/"):
            return over_http(session, request)
        return _answer(application, endpoint, request)

    with mock.patch.object(URLLib3Session, "send", send):
        yield


def _answer(application: Any, endpoint: str, request: Any) -> AWSResponse:
    """As botocore's own session gives it: not read yet where it is a stream."""
    url = urlsplit(request.url)
    environ = create_environ(
        url.path,
        endpoint,
        query_string=url.query,
        method=request.method,
        headers=[(name, _text(value)) for name, value in request.headers.items()],
        input_stream=io.BytesIO(_content(request.body)),
        environ_overrides={"wsgi.input_terminated": True},  # what comes in chunks has no length
    )
    try:
        parts, status, fields = run_wsgi_app(application, environ, buffered=True)
    except Exception as error:  # as werkzeug's server has it
        parts, status, fields = [repr(error).encode()], "500 INTERNAL SERVER ERROR", Headers()
    code, headers = int(status.split(" ", 1)[0]), HTTPHeaderDict(list(fields))
    body = HTTPResponse(
        io.BytesIO(b"".join(parts)),
        headers,
        code,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
    )
    typed: Any = headers
    answer = AWSResponse(request.url, code, typed, body)
    if not request.stream_output:
        answer.content  # noqa: B018 - read, as the session does
    return answer


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _content(body: Any) -> bytes:
    """All of what is sent; of a stream, its checksum behind it, too."""
    if body is None or isinstance(body, str | bytes | bytearray):
        return body.encode() if isinstance(body, str) else bytes(body or b"")
    return b"".join(iter(lambda: body.read(65_536), b""))
