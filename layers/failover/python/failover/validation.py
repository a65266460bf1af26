"""Reading what a function was given, at its edge."""

from __future__ import annotations

import ipaddress
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from failover.errors import MalformedEvent
from failover.wording import problems_of

MOST_PORT = 65_535
Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], event: object) -> Model:
    """The request in an event.

    Raises:
        MalformedEvent: naming every wrong field.
    """
    try:
        return model.model_validate(event)
    except ValidationError as error:
        problems = "; ".join(f"{path} {what}" for path, what in problems_of(error, event, model, shows_text=False))
        raise MalformedEvent(f"{model.__name__}: {problems}") from None


def host_and_port(text: str, port: int | None = None) -> tuple[str, int]:
    """A host and its port from `host:port` or `[IPv6 address]:port`; where there is a default `port`, from `host`,
    `address` or `[IPv6 address]`, too.

    Raises:
        ValueError: if it is none of these.
    """
    if is_address(text) and port is not None:
        return text, port
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not is_address(host) or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is no [IPv6 address]:port")
        digits = rest[1:] if rest != ":" else rest
    elif is_address(text):
        raise ValueError(f"{text!r} has no port: write [{text}]:port for an IPv6 address")
    else:
        host, colon, digits = text.partition(":")
        digits = digits or colon
    if not host or (digits and not (digits.isascii() and digits.isdecimal() and 0 < int(digits) <= MOST_PORT)):
        raise ValueError(f"{text!r} is no host:port")
    if not digits and port is None:
        raise ValueError(f"{text!r} has no port: write {text}:port")
    return host, int(digits) if digits else port or 0


def endpoint(host: str, port: int) -> str:
    """`host:port`, or `[IPv6 address]:port`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_address(host: str) -> bool:
    """Whether it is an IPv4 or IPv6 address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
