"""What a fleet's state allows, and how a fleet is looked at whose control plane is in trouble."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator

import pytest

from failover import fleets
from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets import FleetState, Instance, at_once_again, is_busy, look_in_time
from failover.fleets.metrics import with_metrics

HERE = (Instance(name="a", bootstrap=None, proof="runs it"), Instance(name="b", bootstrap=None))


def state(**more: object) -> FleetState:
    fields: dict[str, object] = {"target": "west", "settled": False, "instances": HERE, "detail": "as it is"} | more
    return FleetState(**fields)  # type: ignore[arg-type]


def test_what_is_not_said_of_a_fleet_is_that_it_lacks_nothing_has_no_fence_and_is_looked_at_each_second() -> None:
    plain = state()
    assert (plain.missing, plain.vacated, plain.look_again_s, plain.size) == (0, False, 1, None)
    assert plain.unproven == ["b"]


@pytest.mark.parametrize(
    ("more", "accepts"),
    [
        ({"settled": True}, True),
        ({"settled": True, "instances": ()}, True),
        ({"missing": 1}, True),
        ({"missing": 1, "instances": ()}, False),
        ({"missing": 2}, False),
        ({"missing": 0}, False),
    ],
)
def test_clients_may_come_once_it_is_settled_or_lacks_one_instance_alone(
    more: dict[str, object], accepts: bool
) -> None:
    assert state(**more).accepts_clients is accepts


@pytest.mark.parametrize(
    ("more", "routed"),
    [
        ({}, True),
        ({"target": "east"}, False),
        ({"stalled_because": "it failed"}, False),
        ({"target": "east", "refused_because": "no secret"}, False),
        ({"refused_because": "no secret"}, None),
    ],
)
def test_it_is_routed_to_a_target_unless_that_was_refused_or_has_stalled(
    more: dict[str, object], routed: bool | None
) -> None:
    if routed is None:
        with pytest.raises(FleetRejected, match="no secret"):
            state(**more).routed_to("west")
    else:
        assert state(**more).routed_to("west") is routed


@pytest.mark.parametrize(
    ("more", "holds"),
    [
        ({"target": "fenced", "settled": True}, True),
        ({"target": "fenced", "vacated": True}, True),
        ({"target": "fenced"}, False),
        ({"settled": True, "vacated": True}, False),
    ],
)
def test_a_fence_holds_once_nobody_gets_through(more: dict[str, object], holds: bool) -> None:
    assert state(**more).fence_holds is holds


SILENT, BUSY = FleetUnavailable("no answer"), FleetUnavailable("503", answered=True)


def looks(*answers: FleetState | Exception) -> tuple[Callable[[], FleetState], list[int]]:
    """A look that has these answers, one after the other; how often it was taken."""
    remaining, times = list(answers), list[int]()

    def look() -> FleetState:
        times.append(len(times))
        answer = remaining.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look, times


@pytest.mark.parametrize(
    ("answers", "after_s", "times"),
    [
        ([state()], 0.0, 1),
        ([SILENT, state()], 0.0, 2),
        ([SILENT, state()], fleets.QUICK_S, 2),
        ([SILENT, SILENT], 0.0, -2),
        ([SILENT], fleets.QUICK_S + 0.1, -1),
        ([BUSY], 0.0, -1),
        ([FleetRejected("no")], 0.0, -1),
    ],
)
def test_a_second_look_is_taken_where_it_was_known_at_once_that_nobody_answered(
    monkeypatch: pytest.MonkeyPatch, answers: list[FleetState | Exception], after_s: float, times: int
) -> None:
    """`times`: below zero, how many looks it took to fail."""
    now = iter((100.0, 100.0 + after_s))
    monkeypatch.setattr("failover.fleets.time.monotonic", lambda: next(now))
    look, taken = looks(*answers)
    if times > 0:
        assert at_once_again(look) == state()
    else:
        with pytest.raises((FleetUnavailable, FleetRejected)):
            at_once_again(look)
    assert len(taken) == abs(times)


def test_a_look_that_hangs_is_given_up_and_one_that_does_not_is_not() -> None:
    over, ended = threading.Event(), threading.Event()

    def hang() -> FleetState:
        over.wait(20)
        ended.set()
        return state()

    with pytest.raises(FleetUnavailable, match=r"no answer within 0\.01 s") as given_up:
        look_in_time(hang, 0.01)
    assert not ended.is_set() and not is_busy(given_up.value)
    over.set()
    assert look_in_time(state, 20) == state()
    with pytest.raises(FleetRejected, match="no"):
        look_in_time(looks(FleetRejected("no"))[0], 20)


def test_who_answers_that_it_is_busy_lives() -> None:
    assert is_busy(BUSY) and not is_busy(SILENT)


SERVING = b'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="serving"} 1\n'
FAILED = b'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="failed"} 1\n'
SWAPS = b'gateway_authswap_client_auth_total{result="failure"} 2.0\n'


@pytest.fixture
def admin() -> Iterator[Callable[[bytes, int], str]]:
    """Starts the admin port of a gateway, whose metrics are answered so; its host:port."""
    servers: list[http.server.HTTPServer] = []

    def start(body: bytes, status: int = 200) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/metrics"
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Not a word."""

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("body", "status", "proof", "failures"),
    [
        (SERVING, 200, "runs it", None),
        (FAILED, 200, None, None),
        (SWAPS, 200, "runs it", 2),
        (FAILED, 302, "runs it", None),
        (FAILED, 500, "runs it", None),
        (b"", 200, "runs it", None),
    ],
)
def test_metrics_take_a_proof_back_where_a_route_does_not_serve_and_tell_swaps_that_failed(
    admin: Callable[[bytes, int], str], body: bytes, status: int, proof: str | None, failures: int | None
) -> None:
    asked = Instance(name="a", bootstrap=None, proof="runs it", metrics=admin(body, status))
    silent = Instance(name="b", bootstrap=None, proof="runs it", metrics="127.0.0.1:9")
    unasked = Instance(name="c", bootstrap=None, proof="runs it")
    answered = with_metrics(state(instances=(asked, silent, unasked)), "orders").instances
    assert [(instance.name, instance.proof, instance.auth_failures) for instance in answered] == [
        ("a", proof, failures),
        ("b", "runs it", None),
        ("c", "runs it", None),
    ]
    plain = state(instances=(unasked,))
    assert with_metrics(plain, "orders") is plain
