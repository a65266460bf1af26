"""The health check of the compose file, as the container runs it: by bash alone."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

GATEWAY = Path(__file__).resolve().parents[2] / "gateway"


@pytest.fixture
def admin() -> Iterator[HTTPServer]:
    """An admin server whose `/livez` answers with its `status`."""

    class Livez(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(self.server.status if self.path == "/livez" else 404)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Livez)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def healthy(port: int) -> bool:
    compose = yaml.safe_load((GATEWAY / "compose.yaml").read_text())
    kind, *command = compose["services"]["gateway"]["healthcheck"]["test"]
    assert kind == "CMD"
    told = [each.replace("$$", "$").replace("9190", str(port)) for each in command]
    return (
        subprocess.run(told, env={"PATH": "/usr/bin:/bin"}, capture_output=True, timeout=10, check=False).returncode
        == 0
    )


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False), (404, False)])
def test_a_gateway_is_healthy_if_its_admin_server_says_so(admin: Any, status: int, expected: bool) -> None:
    admin.status = status
    assert healthy(admin.server_address[1]) is expected


def test_a_gateway_that_does_not_listen_is_not_healthy(admin: Any) -> None:
    port = admin.server_address[1]
    admin.server_close()
    assert not healthy(port)


@pytest.mark.parametrize("file", ["compose.yaml", "ecs.yaml"])
def test_no_health_check_needs_a_program_that_the_image_has_not(file: str) -> None:
    lines = [line.split("#")[0] for line in (GATEWAY / file).read_text().splitlines()]
    assert not any(program in line for line in lines for program in ("curl", "wget", "nc "))
