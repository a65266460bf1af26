"""What an expression of JSONata gives, as the JSON that Step Functions makes of it."""

from __future__ import annotations

import json
from typing import Any, Final

import jsonata

_AS_IT_IS: Final = (str, bool, int)
NOTHING: Final = object()
"""An expression's result, when it has none."""


def json_value(result: Any) -> Any:
    """The JSON value of what the library gave: 3, not 3.0, as JavaScript writes it; `NOTHING` if it is undefined.

    Raises:
        TypeError: if it is no JSON, a function for example.
    """
    if result is None:
        return NOTHING
    if type(result) in _AS_IT_IS:
        return result
    return _plain(json.loads(json.dumps(jsonata.utils.Utils.convert_nulls([result])))[0])


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value
