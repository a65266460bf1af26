"""An event that can't be read is refused with every wrong field by its path, in words that are no library's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from failover.errors import MalformedEvent
from failover.validation import read


class Topics(BaseModel):
    names: tuple[str, ...]
    count: Annotated[int, Field(ge=1)] = 1


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    plan: Annotated[str, Field(pattern=r"^[a-z]+$", description="a plan's name")]
    kind: Literal["failover", "restore"] = "failover"
    dry_run: bool = False
    topics: Topics | None = None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({}, "plan is missing"),
        ({"plan": "orders", "dry_rnu": True}, "dry_rnu is no field here: did you mean dry_run?"),
        ({"plan": "orders", "x": True}, "x is no field here: there are plan, kind, dry_run, topics"),
        ({"plan": "orders", "dry_run": "true"}, "dry_run must be true or false, not text"),
        ({"plan": "orders", "kind": 7}, "kind must be 'failover' or 'restore', not 7"),
        ({"plan": "orders", "topics": {"names": (1,), "count": 0}}, "topics.names[0] must be text, not 1"),
        ({"plan": "orders", "topics": {"names": (), "count": 0}}, "topics.count must be at least 1, not 0"),
        (None, "(document) must be a mapping, not nothing"),
        ([], "(document) must be a mapping, not a list"),
    ],
)
def test_a_wrong_field_is_told_with_what_to_write(event: Any, words: str) -> None:
    with pytest.raises(MalformedEvent) as refused:
        read(Request, event)
    assert words in str(refused.value)


def test_text_that_was_put_in_a_wrong_field_is_told_to_nobody() -> None:
    with pytest.raises(MalformedEvent) as refused:
        read(Request, {"plan": "S3cret!", "kind": "S3cret!", "dry_run": "S3cret!", "topics": {"names": "S3cret!"}})
    assert "S3cret!" not in str(refused.value) and "plan must be a plan's name, not text" in str(refused.value)
