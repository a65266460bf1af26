"""How soon clients work again that were cut when a route moved to another cluster: from the route's return to each
client's first acknowledged record.

The clients are producers of default settings, at work all the time. The route moves there and back; both clusters are
up, and guarded as in the drill, so that nothing but the flip is in their way: the bare mock turns away who comes in a
crowd.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from bench.gateway_world import World, world
from bench.result import NotMeasured, Result

CLIENTS: Final = 50
EVERY_S: Final = 0.02
ROUNDS: Final = 4
STEADY_S: Final = 2.0
SETTLED_S: Final = 8.0
ALLOWED_S: Final = 3.0
TOPIC: Final = "flip"


class _Clients:
    """Producers that write all the time; when each was last acknowledged, and what it was told in error."""

    def __init__(self, bootstrap: str) -> None:
        self._over = threading.Event()
        self.acknowledged: list[list[float]] = [[] for _ in range(CLIENTS)]
        self.failures: list[KafkaError] = []
        self._producers = [
            Producer({"bootstrap.servers": bootstrap, "client.id": str(n), "log_level": 0}) for n in range(CLIENTS)
        ]
        self._thread = threading.Thread(target=self._write, name="clients")
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        for producer in self._producers:
            producer.flush(10)

    def first_after(self, moment: float) -> list[float]:
        """Seconds until each client's first record was acknowledged that was still to be, or without end."""
        return [next((at - moment for at in times if at >= moment), float("inf")) for times in self.acknowledged]

    def _write(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            for number, producer in enumerate(self._producers):
                producer.produce(TOPIC, b"x" * 100, on_delivery=self._delivered(number))
                producer.poll(0)
            time.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))

    def _delivered(self, number: int) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.acknowledged[number].append(time.time())
            else:
                self.failures.append(error)

        return delivered


def measure() -> list[Result]:
    """The 99th percentile over all clients and flips, and the share that made it within the limit.

    Raises:
        NotMeasured: if a flip does not take place, or clients did not work before it.
    """
    with world("east", "west", guarded=True) as here:
        clients = _Clients(here.gateway)
        try:
            took = [seconds for to in ("west", "east") * (ROUNDS // 2) for seconds in _flip(here, clients, to)]
        finally:
            clients.stop()
    if clients.failures:
        raise NotMeasured(f"{len(clients.failures)} records failed, the first with {clients.failures[0].str()}")
    in_time = sum(seconds <= ALLOWED_S for seconds in took) / len(took)
    return [
        Result(
            name="gateway.flip.again_p99", value=sorted(took)[int(0.99 * (len(took) - 1))], unit="s", limit=ALLOWED_S
        ),
        Result(name="gateway.flip.again_in_3s", value=100 * in_time, unit="%", limit=99, at_least=True),
    ]


def _flip(here: World, clients: _Clients, to: str) -> list[float]:
    time.sleep(STEADY_S)
    if not all(times and times[-1] > time.time() - STEADY_S for times in clients.acknowledged):
        raise NotMeasured("not every client was at work before the flip")
    here.route_to(to)
    returned = here.routed(to)
    deadline = time.monotonic() + SETTLED_S
    while float("inf") in (took := clients.first_after(returned)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return took
