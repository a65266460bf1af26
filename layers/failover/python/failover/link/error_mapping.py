"""What became of a call that did not do what was asked, as the error that says so and what to do about it.

Two questions decide: may it have been carried out, and may repeating it help? What the wire does beyond the spec: a 429
is an HTML page of Jetty, a proxy's 5xx is a page of its own, and a link that was just made is "not found" for a while.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from pydantic import TypeAdapter, ValidationError

from failover.aws.secrets import without
from failover.errors import LinkExists, LinkNotFound, LinkRejected, LinkUnavailable, LinkUncertain
from failover.link.oauth import NoToken

Trouble = LinkUnavailable | LinkRejected

_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.InvalidURL,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_NOT_BEGUN: Final = {425, 429}
"""Too Early, Too Many Requests: answered before anything was done."""
_TIMED_OUT: Final = 408
_NOT_YET: Final = ("Unable to resolve cluster link information", "does not have a link named")
"""A 404 for a link that was just made (seen by confluentinc/kcp): it passes."""
_EXISTS: Final = "already exists"
"""Said with 409, with 400 (40002), and in the spec's example with 404."""
_NAMED: Final = 3
_SAID_AT_MOST: Final = 300
_LOOK_FIRST: Final = " It may have been carried out all the same: read the real state before asking again."
_UNREACHED: Final = "is the cluster's region up, and can the function reach its REST endpoint (VPC, PrivateLink, DNS)?"
_BUSY: Final = (
    "the cluster's REST API is in trouble or throttles; asking again may help, Confluent's status page may tell"
)
_REMEDIES: Final[Mapping[int, str]] = {
    401: "the secret of the plan's site must hold a resource API key of this very cluster, or an OAuth client that its "
    "identity pool admits",
    403: "the principal needs CloudClusterAdmin on this cluster, or ALTER on it and its topics",
    404: "check cluster_id and links of the plan: a link is asked for at the cluster that holds the mirrors",
    405: "this cluster's version does not take this call",
    409: "it is there already: look at what there is",
    413: "ask for fewer topics at a time",
}


@dataclass(frozen=True)
class Call:
    """What is asked of a cluster. `path` is below the cluster's. `changes`: it is not the same to ask once or twice.

    `link` and `topics` are what it is about; `secrets` are values in its body that no error may repeat. `within_s`: how
    long it may take with all its repeats, in seconds.
    """

    method: str
    cluster: str
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    link: str | None = None
    topics: Sequence[str] = ()
    changes: bool = False
    secrets: Sequence[str] = ()
    within_s: float = 8.0

    def __str__(self) -> str:
        named = ", ".join(self.topics[:_NAMED]) + (f", … {len(self.topics)} in all" if self.topics[_NAMED:] else "")
        return f"{self.method} {self.path or '/'} of cluster {self.cluster}{f' for {named}' if named else ''}"


@dataclass(frozen=True)
class _ErrorBody:
    """Confluent's error body."""

    error_code: int | None = None
    message: str | None = None


def no_answer(call: Call, error: httpx.HTTPError | httpx.InvalidURL) -> Trouble:
    """Nobody answered, or not to the end."""
    why = f"{call} got no answer ({type(error).__name__} {error}): {_UNREACHED}"
    return _unavailable(call, why, carried_out=not isinstance(error, _NEVER_SENT))


def no_token(call: Call, error: NoToken) -> Trouble:
    """It could not be sent, for want of a token."""
    if error.refused:
        remedy = "the secret of the plan's site must hold an OAuth client that its token endpoint knows"
        return LinkRejected(f"{call} was not sent: {error}: {remedy}", **_of(call))
    return _unavailable(call, f"{call} was not sent: {error}: is the identity provider up?", carried_out=False)


def refused(call: Call, response: httpx.Response, body: bytes) -> Trouble:
    """An answer that is no success."""
    status = response.status_code
    code, said = _read(body, response.headers.get("content-type", ""))
    said = without(said, *call.secrets, response.request.headers.get("authorization", "").partition(" ")[2])
    told: dict[str, Any] = {"status": status, "code": code, "retry_after": _retry_after(response)}
    why = f"{call} answered {status} {said}".rstrip()
    if status == httpx.codes.NOT_FOUND and any(text in said for text in _NOT_YET):
        return _unavailable(
            call, f"{why}: a link that was just made is known a little later", carried_out=False, **told
        )
    if status in _NOT_BEGUN:
        return _unavailable(call, f"{why}: {_BUSY}", carried_out=False, **told)
    if status == _TIMED_OUT or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _unavailable(call, f"{why}: {_BUSY}", carried_out=True, **told)
    if status == httpx.codes.CONFLICT or _EXISTS in said:
        return LinkExists(f"{why}: {_REMEDIES[httpx.codes.CONFLICT]}", **_of(call), **told)
    kind = LinkNotFound if status == httpx.codes.NOT_FOUND else LinkRejected
    return kind(f"{why}: {_REMEDIES.get(status, 'see the message')}", **_of(call), **told)


def unreadable(call: Call, response: httpx.Response, error: ValidationError) -> Trouble:
    """A success whose body is not what the API answers: cut off, of a proxy, or of a version unheard of."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    kind = response.headers.get("content-type", "no content type")
    why = f"{call} answered {response.status_code} with what can't be read ({kind}): {where} {first['msg']}"
    return _unavailable(call, why, carried_out=True, status=response.status_code)


def _unavailable(call: Call, why: str, *, carried_out: bool, **told: Any) -> LinkUnavailable:
    """`carried_out`: it may have been; that is of no account where asking changes nothing."""
    if carried_out and call.changes:
        return LinkUncertain(why + "." * (why[-1] not in ".?") + _LOOK_FIRST, **_of(call), **told)
    return LinkUnavailable(why, **_of(call), **told)


def _of(call: Call) -> dict[str, Any]:
    return {"cluster": call.cluster, "link": call.link, "topics": call.topics}


def _read(body: bytes, content_type: str) -> tuple[int | None, str]:
    """The code and the text of an error, whatever it looks like."""
    try:
        error = TypeAdapter(_ErrorBody).validate_json(body)
        return error.error_code, f"{error.error_code or ''} {' '.join((error.message or '').split())[:_SAID_AT_MOST]}"
    except ValidationError:
        page = re.search(rb"<title>(.{1,80}?)</title>", body, re.IGNORECASE | re.DOTALL)
        title = " ".join(page[1].decode(errors="replace").split()) if page else ""
        return None, f"({content_type or 'no content type'}) {title}"


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait before asking again: the header has them, or a date."""
    given = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}", given):
        return float(given)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
