"""What a document may be, and what is said of one that is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from drill.gateway.shape import Misfit, read


@dataclass(frozen=True)
class Leg:
    length: int
    shoe: Literal["boot", "clog"] | None = None

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError("a leg must have a length")


@dataclass(frozen=True)
class Animal:
    given_name: str
    legs: tuple[Leg, ...] = ()
    tail: Leg | None = None
    is_tame: bool = field(default=False, metadata={"name": "tame"})
    owners: dict[str, int] = field(default_factory=dict)
    notes: Any = None


def test_names_lists_and_defaults() -> None:
    document = {"givenName": "Ada", "legs": [{"length": 3, "shoe": "boot"}, {"length": "4"}], "tame": True}
    assert read(Animal, document) == Animal("Ada", (Leg(3, "boot"), Leg(4)), is_tame=True)
    loose = {"givenName": "Ada", "tail": None, "owners": {"eve": 2}, "notes": [1, {"a": None}]}
    assert read(Animal, loose) == Animal("Ada", owners={"eve": 2}, notes=[1, {"a": None}])


def test_every_wrong_field_is_told_with_its_path() -> None:
    document = {
        "given_name": "Ada",
        "legs": [{"length": True}, {"length": 0}, {"length": 1, "shoe": "sock"}, 7],
        "tame": "yes",
        "owners": {"eve": None},
        "tail": [],
    }
    with pytest.raises(Misfit) as error:
        read(Animal, document)
    assert sorted(error.value.problems) == [
        "givenName: is missing",
        "given_name: there is no such field",
        "legs.0.length: must be of type int, not True",
        "legs.1: a leg must have a length",
        "legs.2.shoe: must be 'boot' or 'clog', not 'sock'",
        "legs.3: must be a mapping, not 7",
        "owners.eve: must be of type int, not None",
        "tail: must be a mapping, not []",
        "tame: must be of type bool, not 'yes'",
    ]


@pytest.mark.parametrize("document", [None, [], "text", 1])
def test_what_is_no_mapping_is_refused(document: object) -> None:
    with pytest.raises(Misfit, match=r"\(all\): must be a mapping"):
        read(Animal, document)
