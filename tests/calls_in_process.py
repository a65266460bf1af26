"""AWS calls of the test's own process reach its moto server as WSGI, without a socket and a thread for each: the same
application answers, in half the time. Other processes, and calls to any other address, go over HTTP."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any, cast
from unittest import mock
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPHeaderDict, HTTPResponse


@contextlib.contextmanager
def calls_in_process(endpoint: str, application: Any) -> Iterator[None]:
    """While it lasts, the SDK's requests to `endpoint` are answered by the WSGI application that serves there."""
    over_http = URLLib3Session.send

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        if not str(request.url).startswith(f"{endpoint}/"):
            return over_http(session, request)
        return _answer(application, request)

    with mock.patch.object(URLLib3Session, "send", send):
        yield


def _answer(application: Any, request: Any) -> AWSResponse:
    """As botocore's own session gives it: not read yet where it is a stream."""
    status, headers = [0], cast("Any", HTTPHeaderDict())

    def start_response(line: str, fields: list[tuple[str, str]], _: object = None) -> None:
        status[0] = int(line.split(" ", 1)[0])
        for name, value in fields:
            headers.add(name, value)

    try:
        body = b"".join(application(_environ(request), start_response))
    except Exception as error:  # as werkzeug's server has it
        status[0], body = 500, repr(error).encode()
    response = HTTPResponse(
        io.BytesIO(body), headers, status[0], preload_content=False, decode_content=False, enforce_content_length=False
    )
    answer = AWSResponse(request.url, status[0], headers, response)
    if not request.stream_output:
        answer.content  # noqa: B018 - read, as the session does
    return answer


def _environ(request: Any) -> dict[str, Any]:
    """PEP 3333, with what werkzeug's own server adds to it."""
    url = urlsplit(request.url)
    body = request.body or b""
    content: bytes = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else _read(body)
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
        "wsgi.input_terminated": True,  # what comes in chunks has no length
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = text
    return environ


def _read(body: Any) -> bytes:
    """All of what is sent as a stream, and its checksum behind it."""
    return b"".join(iter(lambda: body.read(65_536), b""))
