"""The small HTTP side doors of the drill's processes, JSON on the loopback; no part of any product's API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[Any], tuple[int, str, bytes]]
Routes = Mapping[tuple[str, str], Answer]


def as_json(value: Any) -> tuple[int, str, bytes]:
    """A JSON answer."""
    return 200, "application/json", json.dumps(value).encode()


def serve(routes: Routes, host: str = "127.0.0.1", port: int = 0) -> int:
    """Answer `(method, path)` from a thread; the port it listens on. An unknown path is a 404."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = routes.get((self.command, self.path.partition("?")[0]))
            if answer is None:
                status, kind, data = 404, "application/json", b'{"message": "no such path"}'
            else:
                try:
                    status, kind, data = answer(json.loads(body) if body else None)
                except (ValueError, KeyError, TypeError) as error:
                    status, kind, data = 400, "application/json", json.dumps({"message": str(error)}).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        do_GET = do_PUT = do_POST = _handle  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="admin-http", daemon=True).start()
    return int(server.server_address[1])
