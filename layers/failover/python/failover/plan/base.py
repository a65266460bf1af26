"""What every part of a plan is made of: the model of a part, and the types of its values with their forms in words."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from failover.validation import host_and_port, is_address

_HOST: Final = r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$"
_ADDRESS: Final = r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
"""A part of a host name (RFC 1123; an underscore is in names that nobody registers)."""
_LONGEST_HOST: Final = 253


def form(pattern: str, words: str, **more: Any) -> Any:
    """A field whose text has to match a pattern; `words` say what it asks for, to people and to their editors."""
    return Field(pattern=pattern, description=words, **more)


def is_private(host: str) -> bool:
    """Whether a host is an address of this machine or of a private network, where plain HTTP may be meant."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return host in ("localhost", "host.docker.internal")


def _host(host: str) -> str:
    """A name whose parts are names, or an address."""
    if is_address(host):
        return host
    parts = host.removesuffix(".").split(".")
    if len(host) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, parts)):
        raise ValueError(
            f"holds {host!r}, which is no host: between its dots are 1 to 63 letters, digits and -, and no - first or"
            " last"
        )
    if parts[-1].isdigit():
        raise ValueError(f"holds {host!r}, which is neither a name nor an address: no name ends with a number")
    return host


def _client_hostname(name: str) -> str:
    if name != (canonical := name.lower().rstrip(".")):
        raise ValueError(f"must be lower case and without a last dot: write {canonical}")
    if is_address(name):
        raise ValueError(f"is the address {name}: write the name that clients bootstrap to")
    return name


def _endpoints(endpoints: str) -> str:
    for endpoint in endpoints.split(","):
        _host(host_and_port(endpoint)[0])
    return endpoints


def _name_server(server: str) -> str:
    host, _ = host_and_port(server, port=53)
    if ":" not in host and not re.match(_HOST, host):
        raise ValueError(f"must be host, host:port, an address or [IPv6 address]:port, not {server!r}")
    if ":" not in host:
        _host(host)
    return server


def _public(url: str) -> str:
    """A URL with a host, perhaps with a port, and without a secret."""
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    if "@" in authority:
        raise ValueError("must not hold a user or a password: they belong in a secret that the plan names")
    host, _ = host_and_port(authority, port=443)
    if ":" in host and not authority.startswith("["):
        raise ValueError(f"holds the IPv6 address {authority}: write [{authority}]")
    _host(host)
    return url


def _secure(url: str) -> str:
    parts = urlsplit(_public(url))
    if parts.scheme == "http" and not is_private(parts.hostname or ""):
        raise ValueError(f"must be https, since keys are sent to it: write https://{parts.netloc}{parts.path}")
    if parts.query or parts.fragment:
        raise ValueError(f"must end with its path: write {parts.scheme}://{parts.netloc}{parts.path}")
    return url


def _not_blank(label: str) -> str:
    if not label.strip():
        raise ValueError("is blank: write a name, or leave the line out")
    if label != label.strip():
        raise ValueError(f"begins or ends with a space: write {label.strip()}")
    if not label.isprintable():
        raise ValueError(f"holds characters that nobody sees ({label!a}): write it anew, on one line")
    return label


def _topic(name: str) -> str:
    if name in (".", ".."):
        raise ValueError(f"is {name}, which Kafka takes for no topic")
    return name


Name = Annotated[
    str, form(r"^[a-z][a-z0-9-]{0,39}$", "a name: lower-case letters, digits and -, 40 at most, a letter first")
]
Host = Annotated[str, form(_HOST, "a host name"), AfterValidator(_host)]
ClientHostname = Annotated[Host, AfterValidator(_client_hostname)]
"""The name that is flipped: written as name servers answer it, since it is compared with what they answer."""
Region = Annotated[str, form(r"^[a-z]+(-[a-z]+)+-[0-9]{1,2}$", "an AWS region, such as us-east-2")]
Endpoint = Annotated[
    str,
    form(
        rf"^{_ADDRESS}:[0-9]{{1,5}}(,{_ADDRESS}:[0-9]{{1,5}})*$",
        "host:port or [IPv6 address]:port, several with commas between",
    ),
    AfterValidator(_endpoints),
]
NameServer = Annotated[str, Field(min_length=1), AfterValidator(_name_server)]
"""A name server or a resolver: host, host:port, an address or [IPv6 address]:port."""
Url = Annotated[str, form(r"^https?://[^/\s]+(/\S*)?$", "a URL: https://…"), AfterValidator(_secure)]
"""What keys or tokens are sent to."""
Origin = Annotated[str, form(r"^https?://[^/\s]+$", "a URL without a path: https://…"), AfterValidator(_secure)]
PublicUrl = Annotated[str, form(r"^https?://[^/\s]+(/\S*)?$", "a URL: https://…"), AfterValidator(_public)]
"""What anybody may ask, without a key."""
Label = Annotated[str, Field(min_length=1), AfterValidator(_not_blank)]
"""A name that somebody else has given: of a group, a secret, a service."""

Topic = Annotated[
    str,
    form(r"^[A-Za-z0-9._-]{1,249}$", "a topic: letters, digits, ., _ and -, 249 at most"),
    AfterValidator(_topic),
]


class PlanModel(BaseModel):
    """A part of a plan: it does not change, and knows every field it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def __hash__(self) -> int:
        """A part keys the clients that were made for it; pydantic's own hash can't do with a mapping inside, and texts
        and numbers are enough to tell most parts apart."""
        return hash(tuple(value for value in self.__dict__.values() if isinstance(value, str | int | float)))
