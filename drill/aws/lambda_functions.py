"""Functions as they are deployed: each version of a function goes on being there once there is another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path


class UnknownFunction(LookupError):
    """There is no such function: it isn't in the template, or its name is misspelt."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Function not found: {name}")


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function as its template describes it. `code` is its directory, `layers` are sys.path entries in order.

    `max_retries`, `on_failure` (ARN of a destination) and `dead_letter` (ARN of a queue or topic) are for asynchronous
    invocations. `version`: as it was published, or will be by whoever adds it.
    """

    name: str
    arn: str
    version: str = "1"
    region: str
    handler: str
    code: Path
    layers: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 3.0
    memory_mb: int = 128
    log_group: str = ""
    max_retries: int = 2
    on_failure: str | None = None
    dead_letter: str | None = None

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


class Published:
    """Every version of every function."""

    def __init__(self) -> None:
        self._newest: dict[str, Function] = {}
        self._versions: dict[str, Function] = {}

    def add(self, function: Function) -> str:
        """Publish it as the next version of the function of its name; the version's number."""
        before = self._newest.get(function.name)
        published = replace(function, version=str(int(before.version) + 1 if before else 1))
        self._newest[function.name] = self._versions[f"{function.name}:{published.version}"] = published
        return published.version

    def newest(self) -> list[Function]:
        """Each function, as it was published last."""
        return list(self._newest.values())

    def find(self, name_or_arn: str) -> Function:
        """The function of that name, ARN or partial ARN, in the version of that number; by an alias, or without
        either, the newest.

        Raises:
            UnknownFunction: if there is none.
        """
        name = name_or_arn.partition("function:")[2] or name_or_arn
        function, _, version = name.partition(":")
        try:
            return self._versions[name] if version.isdecimal() else self._newest[function]
        except KeyError:
            raise UnknownFunction(name_or_arn) from None
