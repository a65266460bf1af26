"""What a container remembers between calls: the one home of everything that a cold start begins without.

A warm container is a Lambda function's own: nothing here may be counted on, and nothing here may be wrong for longer
than the time that whoever keeps it allows (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")

ARGUMENTS_AT_MOST: Final = 128
"""Of one function; a container that is asked for more begins anew with it."""

_values: dict[Hashable, dict[Hashable, Any]] = {}


class Remembered(Generic[Arguments, Value]):
    """A function whose value is made once for each of its arguments, and kept as long as the container."""

    def __init__(self, make: Callable[Arguments, Value]) -> None:
        self._make = make
        self._key = f"{make.__module__}.{make.__qualname__}"
        functools.update_wrapper(self, make)
        self.cache_clear = self._forget
        """Forget the values of this function alone, as with `functools.cache`."""

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        """The value for these arguments, which must be hashable."""
        values, key = _values.setdefault(self._key, {}), (args, tuple(sorted(kwargs.items())))
        if key not in values:
            value = self._make(*args, **kwargs)
            if len(values) >= ARGUMENTS_AT_MOST:
                values.clear()
            return cast("Value", values.setdefault(key, value))
        return cast("Value", values[key])

    def _forget(self) -> None:
        _values.pop(self._key, None)


def remembered(make: Callable[Arguments, Value]) -> Remembered[Arguments, Value]:
    """`functools.cache` for what differs from one container to the next: connections, and what was last read."""
    return Remembered(make)


def forget() -> None:
    """As after a cold start: nothing is remembered."""
    _values.clear()


def memory() -> dict[Hashable, dict[Hashable, Any]]:
    """Everything that is remembered."""
    return _values


def recall(values: dict[Hashable, dict[Hashable, Any]]) -> None:
    """Go on as the container that remembers these."""
    global _values
    _values = values
