"""What a command could not do, and what to do next: every error that is shown has both."""

from __future__ import annotations

from typing import Final

from failover import errors
from failover.errors import FailoverError
from failover.execution.approval import NoQuestion, SamePerson

MANUAL: Final = "docs/operate.md says of each error what to do"
_REMEDIES: Final[dict[type[FailoverError], str]] = {
    errors.LedgerUnavailable: "wait until DynamoDB answers, then say it again; see whether --region and --profile are"
    " right",
    errors.LedgerRejected: "see whether --stack, --region and --profile lead to the controller and its ledger",
    errors.ServiceUnavailable: "wait a little, then say it again; see whether --region and --profile are right",
    errors.ServiceRejected: "see whether these credentials may do it, and whether --stack and --region are right",
    errors.UnknownPlan: "failover status lists the plans",
    errors.BadPlan: "failover plans check FILE says of each field what to write; then put it",
    NoQuestion: "failover status says where the plan stands",
    SamePerson: "let another person answer",
}
_IN_DRILL: Final = (
    "if the controller's own region is stopped, as by an outage while its site is active,"
    " `python -m drill outage --over` brings it back; else see whether `python -m drill up` still runs"
)


class NotDone(FailoverError):
    """A command could not do what it was asked. `remedy`: what to do next, in a line."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def remedy_of(error: FailoverError, *, of_drill: bool = False) -> str:
    """What to do next. `of_drill`: it came of a running drill, which has no other region or profile."""
    if isinstance(error, NotDone):
        return error.remedy
    if of_drill and isinstance(error, errors.LedgerUnavailable | errors.ServiceUnavailable):
        return _IN_DRILL
    return next((words for kind, words in _REMEDIES.items() if isinstance(error, kind)), MANUAL)
