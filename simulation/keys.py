"""The keys that the clusters take: those of each secret, the old one as long as it is not retired."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

FIRST: Final = {
    "east": {"key": "EASTKEY", "secret": "east-s3cr3t"},
    "west": {"key": "WESTKEY", "secret": "west-s3cr3t"},
    "clients": {"key": "CLIENTKEY", "secret": "clients-s3cr3t"},
}
SECRET_WORDS: Final = tuple(fields["secret"] for fields in FIRST.values())
"""What must be nowhere but in their store; those that follow begin with them."""


class Keys:
    """What is good now, of each secret: key and secret, the newest last."""

    def __init__(self) -> None:
        self.good = {name: [dict(fields)] for name, fields in FIRST.items()}

    def rotate(self, name: str) -> Mapping[str, str]:
        """Make a new one; the old one is good until it is retired."""
        newest = self.good[name][-1]
        fields = {"key": f"{newest['key']}N", "secret": f"{newest['secret']}-next"}
        self.good[name].append(fields)
        return fields

    def retire(self, name: str) -> None:
        """The oldest is good no more."""
        if len(self.good[name]) > 1:
            self.good[name].pop(0)

    def takes(self, name: str, key: str, secret: str) -> bool:
        """Whether this is a good one."""
        return {"key": key, "secret": secret} in self.good[name]

    def takes_header(self, name: str, authorization: str) -> bool:
        """Whether HTTP's basic authorization is."""
        key, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return self.takes(name, key, secret)
