"""Kafka at librdkafka's clients: which cluster answers, where partitions end, and canary records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import confluent_kafka
import confluent_kafka.admin
from confluent_kafka import KafkaError, KafkaException

from simulation.calls import Door
from simulation.keys import Keys
from simulation.scheduler import Scheduler
from simulation.sites import Sites
from simulation.threads import Future


def _transport_error() -> KafkaException:
    return KafkaException(KafkaError(KafkaError._TRANSPORT, "simulated: the broker went away"))


_DOOR: Final = Door(throttled=_transport_error, unreached=_transport_error, unanswered=_transport_error)


class Kafka:
    """The brokers, over the world. `make`: of `Calls`."""

    def __init__(self, scheduler: Scheduler, sites: Sites, keys: Keys, make: Callable[..., Any]) -> None:
        self.clock = scheduler
        self._keys = keys
        self.sites = sites
        self._make = make

    def ask(self, settings: Mapping[str, Any], operation: str, effect: Callable[[str], Any], within: float) -> Any:
        """What the cluster behind the settings' address answers; `effect` is given its site.

        Raises:
            KafkaException: none answers.
        """
        for endpoint in str(settings["bootstrap.servers"]).split(","):
            host = endpoint.rpartition(":")[0]
            if (site := self.sites.cluster_behind(host)) is not None:
                if not self._takes(settings, site if host.startswith("pkc-") else "clients"):
                    break
                return self._make("kafka", operation, lambda site=site: effect(site), _DOOR)
        self.clock.sleep(within)
        raise _transport_error()

    def _takes(self, settings: Mapping[str, Any], name: str) -> bool:
        """Whether the credentials are good; the client hears of it beside its call, which goes on trying."""
        good = self._keys.takes(name, str(settings.get("sasl.username")), str(settings.get("sasl.password")))
        if not good and "error_cb" in settings:
            settings["error_cb"](KafkaError(KafkaError._AUTHENTICATION, "simulated: authentication failed"))
        return good


Brokers = Callable[[Mapping[str, Any]], Kafka]
"""Those of now that a client of these settings comes to."""


def install(brokers: Brokers) -> None:
    """Have them answer for librdkafka's clients."""
    library: Any = confluent_kafka
    admin: Any = confluent_kafka.admin
    admin.AdminClient = lambda settings: _Admin(brokers(settings), settings)
    library.Producer = lambda settings: _Producer(brokers(settings), settings)
    library.Consumer = lambda settings: _Consumer(brokers(settings), settings)


class Client:
    """What all of them have."""

    def __init__(self, brokers: Kafka, settings: Mapping[str, Any]) -> None:
        self.brokers = brokers
        self.settings = settings

    def poll(self, timeout: float = 0.0) -> Any:
        """No event."""
        return 0

    def close(self) -> None:
        """Nothing to end."""


class _Admin(Client):
    """AdminClient."""

    def list_topics(self, topic: str | None = None, timeout: float = 3.0) -> Any:
        """Metadata."""

        def metadata(site: str) -> Any:
            return SimpleNamespace(cluster_id=f"lkc-{site}01", topics={topic: SimpleNamespace(error=None)})

        return self.brokers.ask(self.settings, "metadata", metadata, timeout)

    def list_offsets(self, specs: Mapping[Any, Any], request_timeout: float, **_: Any) -> dict[Any, Future[Any]]:
        """Where each partition ends."""
        answers: dict[Any, Future[Any]] = {partition: Future() for partition in specs}

        sites = self.brokers.sites

        def ends(site: str) -> dict[Any, int]:
            return {spot: sites.log_end(site, (spot.topic, spot.partition)) for spot in answers}

        def answer() -> None:
            try:
                told = self.brokers.ask(self.settings, "log ends", ends, request_timeout)
            except KafkaException as error:
                for future in answers.values():
                    future.set_exception(error)
                return
            for partition, future in answers.items():
                future.set_result(SimpleNamespace(offset=told[partition], leader_epoch=1))

        self.brokers.clock.spawn(answer)
        return answers

    def alter_consumer_group_offsets(self, groups: list[Any], request_timeout: float) -> dict[str, Future[Any]]:
        """Commit for the group."""

        def commit(site: str) -> list[Any]:
            rows = groups[0].topic_partitions
            self.brokers.sites.committed[site] |= {row.topic: row.offset for row in rows}
            return [SimpleNamespace(topic=row.topic, partition=row.partition, error=None) for row in rows]

        return self._of_group(groups[0].group_id, "commit", commit, request_timeout)

    def _of_group(
        self, group: str, operation: str, effect: Callable[[str], list[Any]], within: float
    ) -> dict[str, Future[Any]]:
        future: Future[Any] = Future()

        def answer() -> None:
            try:
                rows = self.brokers.ask(self.settings, operation, effect, within)
            except KafkaException as error:
                future.set_exception(error)
            else:
                future.set_result(SimpleNamespace(topic_partitions=rows))

        self.brokers.clock.spawn(answer)
        return {group: future}


class _Producer(Client):
    """Producer, of one record."""

    def produce(self, topic: str, value: bytes, on_delivery: Callable[[Any, Any], None]) -> None:
        """To be sent by the next poll."""
        self._record: tuple[bytes, Callable[[Any, Any], None]] | None = (value, on_delivery)

    def poll(self, timeout: float = 0.0) -> Any:
        """Send what is to be sent."""
        if self._record is None:
            return 0
        value, on_delivery = self._record
        canaries = self.brokers.sites.canaries
        try:
            self.brokers.ask(self.settings, "produce", lambda site: canaries.append(value), timeout)
        except KafkaException:
            return 0
        self._record = None
        at = canaries.index(value)
        on_delivery(None, SimpleNamespace(partition=lambda: 0, offset=lambda: at))
        return 1


class _Consumer(Client):
    """Consumer, of one partition; or of a group, of which it reads what is committed."""

    _offset: int | None = None

    def committed(self, partitions: list[Any], timeout: float) -> list[Any]:
        """What the group has committed there; it goes on trying until its time is up."""

        def offsets(site: str) -> list[Any]:
            committed = self.brokers.sites.committed[site]
            return [
                SimpleNamespace(
                    topic=row.topic, partition=row.partition, offset=committed.get(row.topic, -1001), error=None
                )
                for row in partitions
            ]

        try:
            return list(self.brokers.ask(self.settings, "committed offsets", offsets, timeout))
        except KafkaException as error:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "simulated: timed out")) from error

    def assign(self, partitions: list[Any]) -> None:
        """Where to read from."""
        self._offset = partitions[0].offset

    def poll(self, timeout: float = 0.0) -> Any:
        """The record there; none for who is assigned nothing, and wants to hear of errors alone."""
        if self._offset is None:
            return None
        try:
            self.brokers.ask(self.settings, "fetch", lambda site: None, timeout)
        except KafkaException:
            return None
        value = self.brokers.sites.canaries[self._offset]
        return SimpleNamespace(error=lambda: None, value=lambda: value)
