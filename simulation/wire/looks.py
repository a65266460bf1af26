"""Many questions at once, in virtual time: each is a task of its own, which blocks where the event loop would go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from simulation.threads import Executor, wait

Answer = TypeVar("Answer")
Key = TypeVar("Key")
Job = Coroutine[Any, Any, Answer]
Begin = Callable[[], Job[Answer]]


class Network:
    """`failover.detection.network.Network` over blocking calls, which the world answers."""

    def run(self, job: Job[Answer]) -> Answer:
        """What the job gives; nothing that it waits for is ever put off."""
        try:
            job.send(None)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        raise RuntimeError("a question of the simulation waits for an event loop")

    def begin(self, job: Begin[None]) -> None:
        """Do it beside what runs."""
        Executor(max_workers=1).submit(self._run_begun, job)

    async def together(self, jobs: Mapping[Key, tuple[Begin[Answer], float | None]]) -> dict[Key, Answer | None]:
        """What each job gives, or None if it gave nothing until its deadline."""
        pool = Executor(max_workers=max(1, len(jobs)))
        running = {key: (pool.submit(self._run_begun, job), deadline) for key, (job, deadline) in jobs.items()}
        for answer, deadline in running.values():
            wait([answer], timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        return {key: answer.result() if answer.done() else None for key, (answer, _) in running.items()}

    def _run_begun(self, job: Begin[Answer]) -> Answer:
        # Begun here, and not by who asks: a container that ends before leaves no job behind that was never begun.
        return self.run(job())

    async def turn(self) -> None:
        """A thread of the simulation is never busy."""

    async def sleep(self, seconds: float) -> None:
        """Let the others go on for so long."""
        time.sleep(seconds)

    async def beside(self, call: Callable[[], Answer]) -> Answer:
        """What a call that blocks for a moment gives."""
        return call()

    in_thread = beside

    async def cluster_id(self, bootstrap: str, security_protocol: str, credentials: Any, deadline: float) -> str:
        """The id of the cluster that answers Metadata."""
        from failover.kafka.client import settings
        from failover.kafka.cluster import cluster_id

        return cluster_id(settings(bootstrap, security_protocol, credentials), max(0.0, deadline - time.monotonic()))

    async def connectable(self, bootstrap: str, deadline: float, *, tls: bool = False) -> str | None:
        """None if an address takes a connection, or why none does."""
        from failover.kafka.addresses import reachable

        addresses = reachable(bootstrap, max(0.0, deadline - time.monotonic()))
        return None if addresses.endpoints else addresses.why_not

    async def rest_cluster_id(self, plan: Any, site: str) -> str:
        """The id of the cluster that answers over REST."""
        from failover.link.factory import cluster_at

        return cluster_at(plan, site).answers()

    def close(self) -> None:
        """Nothing is kept."""


def install() -> None:
    """Have questions asked so. Call it before a function is loaded, with the layer on the path."""
    from failover.detection import network

    network.Network = Network  # type: ignore[assignment,misc]
