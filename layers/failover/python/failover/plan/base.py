"""What every part of a plan is made of: the model of a part, and the types of its values with their forms in words."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from failover.validation import host_and_port

_HOST: Final = r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$"
_ADDRESS: Final = r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"


def form(pattern: str, words: str, **more: Any) -> Any:
    """A field whose text has to match a pattern; `words` say what it asks for, to people and to their editors."""
    return Field(pattern=pattern, description=words, **more)


def is_private(host: str) -> bool:
    """Whether a host is an address of this machine or of a private network, where plain HTTP may be meant."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return host in ("localhost", "host.docker.internal")


def _client_hostname(name: str) -> str:
    if name != (canonical := name.lower().rstrip(".")):
        raise ValueError(f"must be lower case and without a last dot: write {canonical}")
    return name


def _endpoints(endpoints: str) -> str:
    for endpoint in endpoints.split(","):
        host_and_port(endpoint)
    return endpoints


def _name_server(server: str) -> str:
    host, _ = host_and_port(server, port=53)
    if ":" not in host and not re.match(_HOST, host):
        raise ValueError(f"must be host, host:port, an address or [IPv6 address]:port, not {server!r}")
    return server


def _without_user(url: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise ValueError("must not hold a user or a password: they belong in a secret that the plan names")
    return url


def _secure(url: str) -> str:
    parts = urlsplit(_without_user(url))
    if parts.port == 0:
        raise ValueError("has the port 0, which is none")
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
    return label


Name = Annotated[
    str, form(r"^[a-z][a-z0-9-]{0,39}$", "a name: lower-case letters, digits and -, 40 at most, a letter first")
]
Host = Annotated[str, form(_HOST, "a host name")]
ClientHostname = Annotated[Host, AfterValidator(_client_hostname)]
"""The name that is flipped: written as name servers answer it, since it is compared with what they answer."""
Region = Annotated[str, form(r"^[a-z]+(-[a-z]+)+-\d{1,2}$", "an AWS region, such as us-east-2")]
Endpoint = Annotated[
    str,
    form(
        rf"^{_ADDRESS}:\d{{1,5}}(,{_ADDRESS}:\d{{1,5}})*$",
        "host:port or [IPv6 address]:port, several with commas between",
    ),
    AfterValidator(_endpoints),
]
NameServer = Annotated[str, Field(min_length=1), AfterValidator(_name_server)]
"""A name server or a resolver: host, host:port, an address or [IPv6 address]:port."""
Url = Annotated[str, form(r"^https?://[^/\s]+(/\S*)?$", "a URL: https://…"), AfterValidator(_secure)]
"""What keys or tokens are sent to."""
Origin = Annotated[str, form(r"^https?://[^/\s]+$", "a URL without a path: https://…"), AfterValidator(_secure)]
PublicUrl = Annotated[str, form(r"^https?://[^/\s]+(/\S*)?$", "a URL: https://…"), AfterValidator(_without_user)]
"""What anybody may ask, without a key."""
Label = Annotated[str, Field(min_length=1), AfterValidator(_not_blank)]
"""A name that somebody else has given: of a group, a secret, a service."""


class PlanModel(BaseModel):
    """A part of a plan: it does not change, and knows every field it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def __hash__(self) -> int:
        """A part keys the clients that were made for it; pydantic's own hash can't do with a mapping inside."""
        return hash(self.model_dump_json())
