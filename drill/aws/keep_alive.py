"""Requests one after another on a connection, as AWS serves them: Werkzeug ends it after each, and has a thread linger.
Every call of a function would be a connection and a thread here, which is most of what one takes."""

from __future__ import annotations

import io
import logging
from http import HTTPStatus
from typing import Any, Final

from moto.moto_server.werkzeug_app import MotoRequestHandler

LOG = logging.getLogger(__name__)
WITHOUT_BODY: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class KeepAlive(MotoRequestHandler):
    """Reads a request to its end before it is answered, so that the next one begins where it should."""

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        environ = self.make_environ()
        sent, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
        environ["wsgi.input"] = io.BytesIO(
            sent.read() if environ.get("wsgi.input_terminated") else sent.read(int(length or 0))
        )
        status, headers, body = self._called(environ)
        code = int(status.split()[0])
        self.send_response(code, status.partition(" ")[2])
        for name, value in headers:
            self.send_header(name, value)
        if code not in WITHOUT_BODY and not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _called(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        """Status, headers and body that the application answers."""
        started: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started.append((status, headers))
            return written.append

        try:
            answer: Any = self.server.app(environ, start_response)
            try:
                written.extend(answer)
            finally:
                if hasattr(answer, "close"):
                    answer.close()
            return *started[-1], b"".join(written)
        except Exception:
            LOG.exception("%s %s could not be answered", self.command, self.path)
            return "500 Internal Server Error", [], b""
