"""Where the client hostname leads, as anybody's resolver sees it: asked again and again, every change written down."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rdatatype


@dataclass(frozen=True)
class Answer:
    """The target that was first answered at `at`, seconds since 1970; None while nothing answers."""

    at: float
    target: str | None


class NameWatch:
    """Asks a name server for a CNAME twenty times a second, in a thread."""

    def __init__(self, hostname: str, nameserver: str, interval_s: float = 0.05) -> None:
        host, _, port = nameserver.partition(":")
        self._question = dns.message.make_query(hostname, "CNAME")
        self._server, self._port, self._interval_s = host, int(port), interval_s
        self._changes: list[Answer] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="name-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5.0)

    @property
    def target(self) -> str | None:
        """Where the name leads now."""
        return self._changes[-1].target if self._changes else None

    def first_led_to(self, target: str, after: float) -> float | None:
        """When, after a time, the name was first seen to lead to a target; seconds since 1970, or None."""
        return next(
            (change.at for change in list(self._changes) if change.target == target and change.at >= after), None
        )

    def _watch(self) -> None:
        while not self._over.wait(self._interval_s):
            target = self.ask()
            if not self._changes or self._changes[-1].target != target:
                self._changes.append(Answer(time.time(), target))

    def ask(self) -> str | None:
        """Where the name leads, asked once; None if nothing answers."""
        try:
            answer = dns.query.udp(self._question, self._server, timeout=1.0, port=self._port)
        except (dns.exception.DNSException, OSError):
            return None
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.CNAME:
                return str(next(iter(rrset)).target).rstrip(".").lower()
        return None
