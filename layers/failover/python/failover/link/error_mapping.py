"""What became of a call that did not do what was asked, as the error that says so and what to do about it.

Two questions decide: may it have been carried out, and may repeating it help? What the wire does beyond the spec: a 429
is an HTML page of Jetty or a 400 whose code or text says so, a proxy's 5xx is a page or a line of its own, a 200 may
hold an error, and a link that was just made is "not found" for a while, with 404 or with 400.
"""

from __future__ import annotations

import email.utils
import functools
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
"""A 404 or a 400 for a link that was just made (seen by confluentinc/kcp, which retries both): it passes."""
_THROTTLED: Final = re.compile(r"too many requests|rate.?limit|throttl", re.IGNORECASE)
_ERROR_AT_MOST: Final = 65_536
"""Bytes of an answer that may be an error's; longer ones are lists."""
_ERROR_FIELD: Final = re.compile(rb'"(error_code|errors)"')
_TAGS: Final = re.compile(rb"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_EXISTS: Final = "already exists"
"""Said with 409, with 400 (40002), and in the spec's example with 404."""
_NAMED: Final = 3
_MESSAGE_LENGTH: Final = 300
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


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is asked of a cluster."""

    method: str
    cluster: str
    path: str = ""
    """Below the cluster's."""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    link: str | None = None
    """The link it is about, for the error."""
    topics: Sequence[str] = ()
    """The topics it is about, for the error."""
    changes: bool = False
    """It is not the same to ask once or twice."""
    secrets: Sequence[str] = ()
    """Values in its body that no error may repeat."""
    within_s: float = 8.0
    """How long it may take with all its repeats, in seconds."""

    def __str__(self) -> str:
        named = ", ".join(self.topics[:_NAMED]) + (f", … {len(self.topics)} in all" if self.topics[_NAMED:] else "")
        return f"{self.method} {self.path or '/'} of cluster {self.cluster}{f' for {named}' if named else ''}"


@dataclass(frozen=True)
class _OneError:
    """One of the errors of Confluent's control plane, and of its gateways."""

    status: str | int | None = None
    title: str | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class _ErrorBody:
    """An error, in either of Confluent's two shapes."""

    error_code: int | None = None
    message: str | None = None
    errors: Sequence[_OneError] = ()

    @property
    def code(self) -> int | None:
        statuses = [str(error.status) for error in self.errors]
        return self.error_code or next((int(status) for status in statuses if status.isdecimal()), None)

    @property
    def text(self) -> str:
        details = [error.detail or error.title or "" for error in self.errors]
        return " ".join(" ".join([self.message or "", *details]).split())


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


def says_failed(body: bytes) -> bool:
    """Whether an answer is an error, whatever its status; a page is one of whoever stands before the API."""
    if body[:_ERROR_AT_MOST].lstrip().startswith(b"<"):
        return True
    if len(body) > _ERROR_AT_MOST or not _ERROR_FIELD.search(body):
        return False
    error = _parsed(body)
    return error is not None and (bool(error.errors) or (error.code or 0) >= httpx.codes.BAD_REQUEST)


def refused(call: Call, response: httpx.Response, body: bytes) -> Trouble:
    """An answer that is no success."""
    code, message = _read(body, response.headers.get("content-type", ""))
    status = _meant(response, code, message)
    message = without(message, *call.secrets, response.request.headers.get("authorization", "").partition(" ")[2])
    details: dict[str, Any] = {"status": status, "code": code, "retry_after": _retry_after(response)}
    why = f"{call} answered {response.status_code} {message}".rstrip()
    if status in (httpx.codes.NOT_FOUND, httpx.codes.BAD_REQUEST) and any(text in message for text in _NOT_YET):
        return _unavailable(
            call, f"{why}: a link that was just made is known a little later", carried_out=False, **details
        )
    if status in _NOT_BEGUN:
        return _unavailable(call, f"{why}: {_BUSY}", carried_out=False, **details)
    if status == _TIMED_OUT or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _unavailable(call, f"{why}: {_BUSY}", carried_out=True, **details)
    if status == httpx.codes.CONFLICT or _EXISTS in message:
        return LinkExists(f"{why}: {_REMEDIES[httpx.codes.CONFLICT]}", **_of(call), **details)
    kind = LinkNotFound if status == httpx.codes.NOT_FOUND else LinkRejected
    return kind(f"{why}: {_REMEDIES.get(status, 'see the message')}", **_of(call), **details)


def unreadable(call: Call, response: httpx.Response, error: ValidationError) -> Trouble:
    """A success whose body is not what the API answers: cut off, of a proxy, or of a version unheard of."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    kind = response.headers.get("content-type", "no content type")
    why = f"{call} answered {response.status_code} with what can't be read ({kind}): {where} {first['msg']}"
    return _unavailable(call, why, carried_out=True, status=response.status_code)


def _meant(response: httpx.Response, code: int | None, message: str) -> int:
    """The status that an answer means: a success that holds an error, or a throttling by another name, says it in its
    body."""
    status, in_body = response.status_code, int(str(code or 0)[:3])
    refuses = httpx.codes.is_client_error(status)
    if in_body == httpx.codes.TOO_MANY_REQUESTS or (refuses and _THROTTLED.search(message)):
        return int(httpx.codes.TOO_MANY_REQUESTS)
    if response.is_success:
        return in_body if httpx.codes.is_error(in_body) else int(httpx.codes.INTERNAL_SERVER_ERROR)
    return status


def _unavailable(call: Call, why: str, *, carried_out: bool, **details: Any) -> LinkUnavailable:
    """`carried_out`: it may have been; that is of no account where asking changes nothing."""
    if carried_out and call.changes:
        return LinkUncertain(why + "." * (why[-1] not in ".?") + _LOOK_FIRST, **_of(call), **details)
    return LinkUnavailable(why, **_of(call), **details)


def _of(call: Call) -> dict[str, Any]:
    return {"cluster": call.cluster, "link": call.link, "topics": call.topics}


def _read(body: bytes, content_type: str) -> tuple[int | None, str]:
    """The code and the text of an error, whatever it looks like: Confluent's two shapes, a page, or what there is."""
    error = _parsed(body)
    if error is not None and error.text:
        return error.code, f"{error.code or ''} {error.text[:_MESSAGE_LENGTH]}"
    page = re.search(rb"<title>(.{1,80}?)</title>", body, re.IGNORECASE | re.DOTALL)
    is_page = "html" in content_type or body.lstrip().startswith(b"<")
    line = page[1] if page else _TAGS.sub(b" ", body) if is_page else body
    text = " ".join(line.decode(errors="replace").split())[:_MESSAGE_LENGTH]
    return (error.code if error is not None else None), f"({content_type or 'no content type'}) {text}"


def _parsed(body: bytes) -> _ErrorBody | None:
    try:
        return _error_bodies().validate_json(body)
    except ValidationError:
        return None


@functools.cache
def _error_bodies() -> TypeAdapter[_ErrorBody]:
    """What reads them; made when first needed, which takes longer than to read one."""
    return TypeAdapter(_ErrorBody)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait before asking again: the header has them, or a date."""
    header = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}", header):
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
