"""A plan is deployed by one command, which asks the controller as whoever is logged in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from command.controller import Controller
from tests.command.conftest import Failover
from tests.functions.test_serve_operators import ADA, signed


@pytest.fixture
def url(failover: Failover, call: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A function's URL, where IAM takes every signature for one caller's; the signatures."""
    signatures: list[str] = []

    class Url(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            signatures.append(self.headers["Authorization"])
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = call("serve_operators", signed(self.path, body, ADA))
            self.send_response(answer["statusCode"])
            self.end_headers()
            self.wfile.write(answer["body"].encode())

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Url) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(Controller, "operator_url", property(lambda _: address, lambda *_: None), raising=False)
        yield signatures
        server.shutdown()


@pytest.fixture
def file(tmp_path: Path, plan_text: str) -> Callable[..., str]:
    """A file with the example plan, in which some text is another."""

    def write(old: str = "", new: str = "") -> str:
        (tmp_path / "plan.yaml").write_text(plan_text.replace(old, new) if old else plan_text)
        return str(tmp_path / "plan.yaml")

    return write


def test_a_plan_is_put_by_whoever_is_logged_in_and_shown_again(
    failover: Failover, url: list[str], file: Callable[..., str]
) -> None:
    changed = file("home: east", "home: west")
    assert failover("plans", "diff", "orders", changed).code == 1
    done = failover("plans", "put", changed)
    assert done.code == 0 and "orders: revision 2 is in force" in done.out and "check orders --now" in done.out
    assert url[0].startswith("AWS4-HMAC-SHA256") and "/us-west-2/lambda/aws4_request" in url[0]
    assert failover("plans", "show", "orders").out == Path(changed).read_text()
    assert failover("plans", "diff", "orders", changed).code == 0
    rows = json.loads(failover("plans", "list", "--json").out)["plans"]
    assert [(row["plan"], row["revision"], row["by"]) for row in rows] == [("orders", 2, ADA)]
    assert failover("plans", "show", "orders", "--revision", "1").out == Path(file()).read_text()
    assert len(failover("plans", "show", "orders", "--revisions").out.splitlines()) == 2


def test_a_plan_is_removed_only_if_it_is_meant_and_is_still_shown_then(failover: Failover, url: list[str]) -> None:
    assert failover("plans", "remove", "orders").code == 2
    assert "orders" in failover("plans", "list").out
    assert failover("plans", "remove", "orders", "--yes").code == 0
    assert "no plan is deployed" in failover("plans", "list").err
    assert failover("plans", "show", "orders").code == 2
    assert failover("plans", "show", "orders", "--revision", "1").code == 0


def test_what_the_controller_refuses_is_said_with_its_reason(
    failover: Failover, url: list[str], file: Callable[..., str]
) -> None:
    refused = failover("plans", "put", file("name: orders", "name: payments"))
    assert refused.code == 2 and "PlanChangeRefused" in refused.err and "'orders'" in refused.err


def test_a_bad_plan_is_not_even_sent(failover: Failover, url: list[str], file: Callable[..., str]) -> None:
    assert failover("plans", "put", file("home: east", "home: north")).code == 2
    assert url == []


def test_a_controller_without_that_url_says_so(failover: Failover, file: Callable[..., str]) -> None:
    refused = failover("plans", "put", file())
    assert refused.code == 2 and "no URL for operators" in refused.err
