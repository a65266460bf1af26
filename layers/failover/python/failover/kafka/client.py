"""Clients of librdkafka: their settings, and calls that end as soon as they are refused.

A client whose credentials are refused goes on trying until its time is up, and reports the refusal aside, to its
`error_cb`. So every call is waited for here, with an eye on what was reported: whoever refuses is alive, and a caller
that learns it at once can ask again with the secret of now.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Final, Generic, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from failover.aws.secrets import ApiKey, Credentials, OAuthClient, without
from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.refusal import refused_credentials

Settings = Mapping[str, str | int | bool]
Answer = TypeVar("Answer")
Library = TypeVar("Library", AdminClient, Consumer)

SETUP_TIMEOUT_MS: Final = 2000
"""For TCP, TLS and SASL together, from another region."""
SHORT_SETUP_TIMEOUT_MS: Final = 1000
"""librdkafka's least: where one address of a name is silent, the next one must be tried within the same look."""
LONGEST_S: Final = 3600.0
"""What librdkafka takes for a call at most, and what one that looks for a group's coordinator is given: 2.16 ends the
whole process when a coordinator is found after the call that looked for it has timed out inside of it
(https://github.com/confluentinc/librdkafka/issues/4605), as when a broker that was frozen goes on. Who waits for the
answer gives up by its own clock, and what the call still looks for goes with its client."""
_POLL_S: Final = 0.02
_COMMITTED_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
"""What a consumer waits for committed offsets, again and again: only between two such calls does it report trouble. A
connection that one of them began is there for the next."""
_AUTHENTICATION: Final = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
}
_AUTHORIZATION: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


def settings(bootstrap: str, security_protocol: str, credentials: Credentials | None) -> dict[str, str | int | bool]:
    """librdkafka's settings to reach `bootstrap`, with timeouts for a region in trouble."""
    chosen: dict[str, str | int | bool] = {
        "bootstrap.servers": bootstrap,
        "security.protocol": security_protocol,
        "socket.connection.setup.timeout.ms": SETUP_TIMEOUT_MS,
        "socket.timeout.ms": 4000,
        "broker.address.ttl": 5000,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 250,
        "log_level": 0,
    }
    if security_protocol.endswith("SSL") and (authorities := os.environ.get("SSL_CERT_FILE")):
        chosen["ssl.ca.location"] = authorities  # librdkafka has an OpenSSL of its own, which heeds the system's alone
    match credentials:
        case ApiKey(key, secret):
            chosen |= {"sasl.mechanism": "PLAIN", "sasl.username": key, "sasl.password": secret}
        case OAuthClient():
            chosen |= _oidc(credentials)
    return chosen


def _oidc(oauth: OAuthClient) -> dict[str, str | int | bool]:
    """librdkafka gets and renews the token itself (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md)."""
    named = {"logicalCluster": oauth.logical_cluster, "identityPoolId": oauth.identity_pool_id}
    chosen: dict[str, str | int | bool] = {
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": oauth.client_id,
        "sasl.oauthbearer.client.secret": oauth.client_secret,
        "sasl.oauthbearer.token.endpoint.url": oauth.token_endpoint,
    }
    if oauth.scope:
        chosen["sasl.oauthbearer.scope"] = oauth.scope
    if extensions := ",".join(f"{name}={value}" for name, value in named.items() if value):
        chosen["sasl.oauthbearer.extensions"] = extensions
    return chosen


class Client(Generic[Library]):
    """A client of librdkafka, made by `make` of its settings, and what went wrong with its connections."""

    def __init__(self, chosen: Settings, make: Callable[[dict[str, Any]], Library]) -> None:
        self._chosen = chosen
        self._errors: list[KafkaError] = []
        self.client: Library = make({**chosen, **reporting(self._errors)})

    def trouble(self, what: str) -> KafkaUnavailable:
        """The error for what went wrong: `KafkaUnauthorized` if the credentials were refused meanwhile."""
        self.client.poll(0)
        return trouble(self._chosen, self._errors, what)


class Admin(Client[AdminClient]):
    """An admin client, for one call. One that is kept remembers which topics and leaders are not there, and librdkafka
    2.16 may end the whole process when it is asked for their ends again while metadata come
    (rd_kafka_topic_partition_list_query_leaders_async in its rdkafka_partition.c)."""

    def __init__(self, chosen: Settings) -> None:
        super().__init__(chosen, AdminClient)


class GroupReader(Client[Consumer]):
    """A consumer that reads what its group has committed, and never joins it.

    An admin client must not be asked that: librdkafka 2.16 ends the whole process when a broker answers one that the
    group's coordinator is elsewhere now, or nowhere yet (https://github.com/confluentinc/librdkafka/issues/5315).
    """

    def __init__(self, chosen: Settings, group: str) -> None:
        super().__init__({**chosen, "group.id": group, "enable.auto.commit": False}, Consumer)

    def committed(self, partitions: Sequence[TopicPartition], what: str) -> list[TopicPartition]:
        """The committed offset of each partition, within 3.1 s. `what` it is if it fails.

        Raises:
            KafkaUnauthorized: as soon as the cluster refuses the credentials, or the group.
            KafkaUnavailable: if it fails otherwise, or gives nothing in time.
        """
        for seconds in _COMMITTED_S:
            try:
                return self.client.committed(list(partitions), timeout=seconds)
            except KafkaException as error:
                if error.args[0].code() != KafkaError._TIMED_OUT:
                    raise failed(self, what, error.args[0]) from error
            if isinstance(refusal := self.trouble(what), KafkaUnauthorized):
                raise refusal
        raise self.trouble(f"{what} in time")


def reporting(errors: list[KafkaError]) -> dict[str, Any]:
    """The setting that has a client append to `errors` what goes wrong with its connections."""
    return {"error_cb": errors.append}


def result(admin: Admin, answer: Future[Answer], what: str, deadline: float) -> Answer:
    """What the future gives. `what` it is if it fails; `deadline` on the monotonic clock.

    Raises:
        KafkaUnauthorized: at once, if the cluster refuses the credentials or the call.
        KafkaUnavailable: if it fails otherwise, or gives nothing until then.
    """
    return first_result({answer: admin}, what, deadline)


def first_result(answers: Mapping[Future[Answer], Admin], what: str, deadline: float) -> Answer:
    """As `result`, of the first of several clients to succeed, or to be refused."""
    pending = set(answers)
    while pending:
        done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for answer in done:
            if (error := answer.exception()) is None:
                return answer.result()
            if not isinstance(error, KafkaException):
                raise error
            trouble = failed(answers[answer], what, error.args[0])
            if not pending or isinstance(trouble, KafkaUnauthorized):
                raise trouble from error
        for answer in pending:
            if isinstance(refusal := answers[answer].trouble(what), KafkaUnauthorized):
                raise refusal
        if time.monotonic() > deadline:
            break
    raise next(iter(answers.values())).trouble(f"{what} in time")


def called(admins: Sequence[Admin], call: Callable[[Admin, float], Answer], what: str, deadline: float) -> Answer:
    """As `first_result`, of a call that blocks for so many seconds as it is given."""
    pool = ThreadPoolExecutor(max_workers=len(admins), thread_name_prefix="kafka")
    seconds = max(0.0, deadline - time.monotonic())
    try:
        return first_result({pool.submit(call, admin, seconds): admin for admin in admins}, what, deadline)
    finally:
        pool.shutdown(wait=False)


def failed(client: Client[Any], what: str, error: Any) -> KafkaUnavailable:
    """The error for a call that failed with `error`: `KafkaUnauthorized` if that is a refusal."""
    if isinstance(error, KafkaError) and error.code() in _AUTHORIZATION:
        return unauthorized(what, error)
    return client.trouble(f"{what}: {in_words(error)}")


def in_words(error: Any) -> str:
    """What librdkafka has to say of an error, and its name; what is none of its errors as it is."""
    of_kafka = error.args[0] if isinstance(error, KafkaException) and error.args else error
    return f"{of_kafka.str()} ({of_kafka.name()})" if isinstance(of_kafka, KafkaError) else str(error)


def is_authorization(error: KafkaError) -> bool:
    """Whether the cluster refuses this to whoever asks: the topic, the group, or the cluster."""
    return error.code() in _AUTHORIZATION


def unauthorized(what: str, error: KafkaError) -> KafkaUnauthorized:
    """The error for a call that the cluster does not allow."""
    return KafkaUnauthorized(f"Kafka {what}: {in_words(error)}. The principal needs an ACL or a role binding for it")


def trouble(chosen: Settings, errors: Sequence[KafkaError], what: str) -> KafkaUnavailable:
    """The error for what went wrong, by what a client reported meanwhile."""
    for error in errors:
        if error.code() in _AUTHENTICATION:
            why = without(str(error.str()), str(chosen.get("sasl.oauthbearer.client.secret", "")))
            return refused_credentials(str(chosen["bootstrap.servers"]), why)
    return KafkaUnavailable(f"Kafka at {chosen['bootstrap.servers']} {what}")
