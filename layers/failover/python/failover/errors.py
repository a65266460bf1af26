"""Every error of the controller: what happened, to what, and what to do.

Step Functions sees the class's name (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html),
so the names are part of the state machines: a `TransientError` is retried there, a `Refused` ends the execution before
anything was changed, anything else stops it where it is, with the lease kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class FailoverError(Exception):
    """Base of every error the controller raises on purpose."""


class TransientError(FailoverError):
    """Calling the same step again may succeed."""


class LedgerUnavailable(TransientError):
    """DynamoDB did not answer, or throttled."""


class _OfCall(Exception):
    """What is known of a call to a cluster's REST API that did not do what was asked.

    `cluster`, `link`, `topics`: of what and whom it was asked. `status`: HTTP's; `code`: Confluent's own, of three or
    five digits; None if there was no answer, or none with a code. `retry_after`: seconds the server asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        cluster: str = "",
        link: str | None = None,
        topics: Sequence[str] = (),
        status: int | None = None,
        code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.cluster = cluster
        self.link = link
        self.topics = tuple(topics)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class LinkUnavailable(_OfCall, TransientError):
    """A cluster's REST API did not answer, throttled, failed inside, or answered what can't be read. Nothing was
    changed, unless it is a `LinkUncertain`."""


class LinkUncertain(LinkUnavailable):
    """A change was asked for over REST and there is no answer to tell by: it may have been carried out. Look first."""


class FleetUnavailable(TransientError):
    """The control plane of a gateway fleet did not answer, or throttled.

    `answered`: it did answer, that it is too busy or failed inside; so it lives, and will answer otherwise soon.
    """

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class DnsUnavailable(TransientError):
    """The DNS provider's API did not answer, throttled, or is still busy with the previous change."""


class KafkaUnavailable(TransientError):
    """A Kafka cluster could not be reached, or did not answer in time."""


class KafkaUnauthorized(KafkaUnavailable):
    """A Kafka cluster, or the OAuth token endpoint on the way to it, refused the credentials."""


class ServiceUnavailable(TransientError):
    """Another AWS service (Secrets Manager, Step Functions, SNS, EventBridge) did not answer."""


class Refused(FailoverError):
    """The request can't be carried out as it was written; nothing was changed."""


class RealAwsRefused(Refused):
    """A function that runs under `sam local` was led to no rehearsal, and would have worked on a real account."""


class MalformedEvent(Refused):
    """An event or a manual start that does not have the documented shape."""


class BadPlan(Refused):
    """A plan with wrong fields; the message names each of them by its path in the YAML."""

    def __init__(self, name: str, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        self.document = ""
        """The YAML itself, where it is known; it is in no message."""
        lines = "\n".join(f"  {path}: {what}" for path, what in problems)
        super().__init__(f"plan {name!r} has {len(problems)} wrong field(s):\n{lines}")


class UnknownPlan(Refused):
    """No plan of that name is deployed."""


class PlanChangeRefused(Refused):
    """A plan can't be put, changed or removed now: an execution works on it, or it would contradict what is."""


class NotAnOperator(Refused):
    """The caller is none of the plan's operators."""


class UnknownSite(Refused):
    """The plan has no site of that name."""


class WrongDirection(Refused):
    """A start that leads from the standby, or to the active site."""


class DuplicateExecution(Refused):
    """Another execution already holds the plan's lease, or this epoch was already used."""


class LeaseLost(FailoverError):
    """This execution no longer holds the plan's lease under its epoch; it must not touch anything any more."""


class AbortRequested(FailoverError):
    """A person asked for the execution to be aborted, and it is not past its point of no return: it puts back what it
    changed, and stands down."""


class AbortRefused(Refused):
    """The plan has no execution that could still put back what it changed."""


class PastNoReturn(FailoverError):
    """A switchover that is past its point of no return was asked to put back what it changed: it goes forward only."""


class FenceBypassed(FailoverError):
    """Behind the fence of every gateway somebody goes on writing to the cluster itself."""


class FenceLifted(FailoverError):
    """A gateway that was fenced leads clients to the site that is left again: somebody else led it there. Nothing is
    reversed; it is fenced and drained once more."""


class MirrorsNotReady(FailoverError):
    """A mirror is not ACTIVE, or no link accepts to reverse one; nothing was changed by it."""


class DivergenceUnknown(FailoverError):
    """What a returned site holds beyond the active one can't be told exactly: nothing of it is truncated."""


class ReturnedSiteInUse(FailoverError):
    """Somebody wrote to a returned site after it was measured what is stranded there: nothing more is truncated."""


class RestoreRejected(FailoverError):
    """No link accepts to truncate and restore what is left to be restored: a person has to look at it."""


class RoundsNotStarted(FailoverError):
    """What goes on of itself could not be started for some plans; it is tried again when it is due again."""


class FailoverStopped(FailoverError):
    """The failover stopped in a step; the lease is kept."""


class UnknownProtocol(FailoverError):
    """A Kafka broker speaks no version of a request that the controller knows: it is there, and can't be asked."""


class StandbyChanged(FailoverError):
    """The cluster behind an endpoint is not the cluster the plan names."""


class PromotionRejected(FailoverError):
    """A mirror can't be made writable by repeating the call: a person has to look at it."""


class HookFailed(FailoverError):
    """A hook failed, or did not answer in its time, and the plan does not go on without it."""


class RescueIncomplete(FailoverError):
    """Stranded records are not all saved, or can't be: nothing is truncated."""


class RescueDamaged(FailoverError):
    """A rescued object in S3 is not what was saved."""


class LinkRejected(_OfCall, FailoverError):
    """The REST API refused the call: wrong credentials, missing permission, no such link."""


class LinkExists(LinkRejected):
    """What was to be made over REST is there already, as it was asked for or otherwise: look at it."""


class LinkNotFound(LinkRejected):
    """What was asked for over REST is not there: a link, a mirror, a group's offsets."""


class FleetRejected(FailoverError):
    """The fleet's control plane refused the change, or the plan names no route for the wanted site."""


class CanarySaysNothing(FailoverError):
    """A canary record could not be sent the way it must go, so that it tells nothing of the site."""


class DnsRejected(FailoverError):
    """The DNS provider refused the change, or the zone is not the plan's."""


class LedgerRejected(FailoverError):
    """DynamoDB refused a call on the ledger's table: it does not exist, or this role may not do it."""


class ServiceRejected(FailoverError):
    """Another AWS service (Step Functions, SNS, EventBridge) refused a call: a right is missing, or
    what it was asked for does not exist."""


class CredentialsMissing(FailoverError):
    """A secret the plan names does not exist, may not be read, or holds neither an API key nor an OAuth client."""


@dataclass(frozen=True)
class Obstacle:
    """What would make a port raise one of these errors on the day of a failover: readiness says it before."""

    what: str
    remedy: str
