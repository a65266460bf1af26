"""Reading what a function was given, at its edge."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from failover.errors import MalformedEvent

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], event: object) -> Model:
    """The request in an event.

    Raises:
        MalformedEvent: naming every wrong field.
    """
    try:
        return model.model_validate(event)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'event'}: {p['msg']}" for p in error.errors())
        raise MalformedEvent(f"{model.__name__}: {problems}") from None
