"""As much of S3 as a rescue asks for: objects are taken, and forgotten but for what is told of them. What keeps and
checks them would take most of a small machine, and of the time that is to be measured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_METADATA: Final = "x-amz-meta-"


class _Bucket(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, dict[str, str]]
    """By path, the headers that tell of it."""

    def do_PUT(self) -> None:
        """Take an object that is not there yet."""
        size = int(self.headers["Content-Length"])
        self.rfile.read(size)
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("If-None-Match") == "*" and path in self.objects:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            facts = {name: value for name, value in self.headers.items() if name.lower().startswith(_METADATA)}
            self.objects[path] = facts | {"Content-Length": str(size)}
            self._answer(200)

    def do_HEAD(self) -> None:
        """Tell of an object."""
        facts = self.objects.get(unquote(urlsplit(self.path).path))
        self._answer(404 if facts is None else 200, headers=facts)

    def do_GET(self) -> None:
        """List the keys below a prefix."""
        at = urlsplit(self.path)
        bucket, prefix = at.path.strip("/"), parse_qs(at.query).get("prefix", [""])[0]
        keys = sorted(path.removeprefix(f"/{bucket}/") for path in self.objects)
        rows = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys if key.startswith(prefix))
        listing = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        self._answer(200, listing.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def bucket() -> Iterator[str]:
    """Where it answers."""
    handler = type("Bucket", (_Bucket,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
