"""What a container remembers: made once, forgotten as a whole, and another's where another container goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from failover import container
from failover.container import forget, memory, recall, remembered

made: list[str] = []


@remembered
def connection(host: str, port: int = 443) -> list[str]:
    """Something that only this container has."""
    made.append(f"{host}:{port}")
    return []


@remembered
def last_read() -> dict[str, str]:
    """Something else."""
    return {}


@pytest.fixture(autouse=True)
def cold_start() -> Iterator[None]:
    """Each test is a container of its own, and leaves the memory of before as it was."""
    before = memory()
    recall({})
    made.clear()
    yield
    recall(before)


def test_a_value_is_made_once_for_its_arguments() -> None:
    assert connection("a") is connection("a")
    assert connection("a") is not connection("b")
    connection("a", port=9092)
    assert made == ["a:443", "b:443", "a:9092"]


def test_a_cold_start_remembers_nothing_of_anything() -> None:
    first = connection("a")
    last_read()["plan"] = "orders"
    forget()
    assert connection("a") is not first
    assert last_read() == {}


def test_one_value_can_be_forgotten_without_the_others() -> None:
    first = connection("a")
    last_read()["plan"] = "orders"
    last_read.cache_clear()
    assert last_read() == {}
    assert connection("a") is first


def test_what_one_container_remembers_another_does_not() -> None:
    last_read()["plan"] = "orders"
    mine = memory()
    recall({})
    assert last_read() == {}
    recall(mine)
    assert last_read() == {"plan": "orders"}


def test_a_function_asked_for_ever_more_keeps_no_more_than_the_limit() -> None:
    for number in range(3 * container.ARGUMENTS_AT_MOST):
        connection("a", number)
    (kept,) = memory().values()
    assert len(kept) <= container.ARGUMENTS_AT_MOST


def test_what_failed_is_not_remembered() -> None:
    tries: list[int] = []

    @remembered
    def unlucky_once() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("no answer")
        return "there"

    with pytest.raises(ConnectionError):
        unlucky_once()
    assert unlucky_once() == "there"
