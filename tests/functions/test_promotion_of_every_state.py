"""Every mirror that is not STOPPED is asked for by name, whatever its state, until all are."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
NO_TRUNCATION = "Topic is being restored"


class Standby:
    """The standby's REST: mirrors in given states, of which one is refused as long as it is being restored."""

    def __init__(self, states: dict[str, str | None], refusals: int) -> None:
        self.states, self.refusals = states, refusals
        self.requests: list[list[str]] = []
        standby = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.split("?")[0].rpartition("/")[2]
                self._answer({"data": [*map(standby.row, standby.states)]} if name == "mirrors" else standby.row(name))

            def do_POST(self) -> None:
                names = json.loads(self.rfile.read(int(self.headers["content-length"])))["mirror_topic_names"]
                self._answer({"data": standby.fail_over(names)})

            def _answer(self, body: Any) -> None:
                out = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def row(self, topic: str) -> dict[str, Any]:
        lags = [{"partition": 0, "lag": 0, "last_source_fetch_offset": 5}]
        names = {"mirror_topic_name": topic, "source_topic_name": topic}
        return names | {"mirror_status": self.states[topic], "num_partitions": 1, "mirror_lags": lags}

    def fail_over(self, topics: list[str]) -> list[dict[str, Any]]:
        self.requests.append(topics)
        rows = []
        for topic in topics:
            refused = self.states[topic] == "PENDING_SETUP_FOR_RESTORE" and len(self.requests) <= self.refusals
            if not refused:
                self.states[topic] = "STOPPED"
            code, message = (400, NO_TRUNCATION) if refused else (None, None)
            rows.append({"mirror_topic_name": topic, "error_code": code, "error_message": message})
        return rows


@pytest.fixture
def standby(deployed: Any, plan_text: str) -> Iterator[Standby]:
    states = ["FAILED", "LINK_FAILED", "PAUSED", "SOURCE_UNAVAILABLE", "ACTIVE", "A_NEW_STATE", None, "STOPPED"]
    rest = Standby({f"t{n}": state for n, state in enumerate([*states, "PENDING_SETUP_FOR_RESTORE"])}, refusals=2)
    document = yaml.safe_load(plan_text)
    for site in document["sites"].values():
        site["kafka"]["rest_endpoint"] = f"http://127.0.0.1:{rest.server.server_port}"
        del site["kafka"]["credentials"]
    document["policy"]["mode"] = "automatic"
    put_plan(deployed, json.dumps(document))
    yield rest
    rest.server.shutdown()


def test_one_that_is_on_its_way_is_asked_for_again_and_holds_no_other_back(standby: Standby, call: Call) -> None:
    start = {"plan": "orders", "to": "west", "epoch": 1}
    execution = call("claim", {"start": start, "execution_name": "orders-1-failover"})["execution"]
    reports = [call("promote_mirrors", {"execution": execution}) for _ in range(4)]
    assert set(standby.requests[0]) == set(standby.states) - {"t7"}
    assert standby.requests[1:] == [["t8"], ["t8"]]
    assert [report["status"] for report in reports] == ["waiting", "waiting", "waiting", "done"]
    assert NO_TRUNCATION in str(reports[1]["observed"]["rejected"])
