"""What a function takes of a request, and where it begins to refuse; and that what nobody asks for is not done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import BaseModel, ValidationError

from failover.execution.approval import Answered, Question
from failover.ledger.execution import Execution
from tests.conftest import Context

FUNCTIONS = sorted(path.parent.name for path in Path(__file__).resolve().parents[2].glob("functions/*/app.py"))
OPERATORS: dict[str, dict[str, Any]] = {
    "StartRequest": {"plan": "orders", "to": "west", "reason": "x"},
    "PracticeRequest": {"plan": "orders", "reason": "x"},
    "AbortRequest": {"plan": "orders", "execution": "a", "why": "x"},
    "PauseRequest": {"plan": "orders", "why": "x"},
    "AnswerRequest": {"plan": "orders", "execution": "a", "answer": "deny"},
}


def taken(module: ModuleType, model: str, request: dict[str, Any]) -> bool:
    """Whether it is taken as it is."""
    try:
        getattr(module, model).model_validate(request)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "model", "request_", "field", "least"),
    [
        *(
            ("serve_operators", model, OPERATORS[model], field, "x")
            for model, field in (
                ("StartRequest", "reason"),
                ("PracticeRequest", "reason"),
                ("AbortRequest", "why"),
                ("PauseRequest", "why"),
            )
        ),
        ("serve_operators", "PutRequest", {}, "document", "x"),
        ("answer_approval", "DirectAnswer", OPERATORS["AnswerRequest"], "by", "A"),
        ("claim", "Start", {"plan": "orders", "to": "west"}, "by", "A"),
        ("run_practice", "PracticeStart", {"plan": "orders"}, "by", "A"),
        ("deploy_plan", "Declared", {}, "Document", "x"),
        ("deploy_plan", "ConfigurationRequest", {"origin": "o", "tf": {"action": "create"}}, "document", "x"),
    ],
)
def test_who_must_say_something_must_say_one_character_at_least(
    function: Callable[[str], ModuleType], name: str, model: str, request_: dict[str, Any], field: str, least: str
) -> None:
    module = function(name)
    assert taken(module, model, request_ | {field: least})
    assert not taken(module, model, request_ | {field: ""})


@pytest.mark.parametrize(
    ("name", "model", "request_", "field", "good", "bad"),
    [
        ("run_practice", "PracticeStart", {"plan": "orders"}, "stay_seconds", (0, 1, 21_600), (-1, 21_601)),
        ("serve_operators", "PracticeRequest", OPERATORS["PracticeRequest"], "stay_seconds", (0, 21_600), (-1, 21_601)),
        ("claim", "Start", {"plan": "orders", "to": "west"}, "epoch", (1, 2), (0,)),
        ("start_rounds", "RoundsRequest", {"due": "rounds"}, "every_minutes", (0.5, 1.0), (0.0, -1.0)),
        ("start_rounds", "RoundsRequest", {"due": "rounds"}, "turn_minutes", (0.5, 1.0), (0.0, -1.0)),
    ],
)
def test_a_number_is_taken_up_to_its_bound_and_refused_beyond(
    function: Callable[[str], ModuleType],
    name: str,
    model: str,
    request_: dict[str, Any],
    field: str,
    good: tuple[float, ...],
    bad: tuple[float, ...],
) -> None:
    module = function(name)
    assert [value for value in (*good, *bad) if taken(module, model, request_ | {field: value})] == list(good)


def optional(module: ModuleType) -> Iterator[tuple[str, str, Any]]:
    """The flags and counts that a function's own requests need not say, and what they are then."""
    for model in vars(module).values():
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__:
            for field, info in model.model_fields.items():
                if info.annotation in (bool, int) and not info.is_required():
                    yield model.__name__, field, info.default


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_request_does_not_say_is_not_asked_for(function: Callable[[str], ModuleType], name: str) -> None:
    assert [row for row in optional(function(name)) if row[2]] == []


def test_an_execution_is_no_dry_run_and_forces_nothing_unless_it_says_so() -> None:
    least = {"plan": "orders", "epoch": 1, "name": "a", "kind": "failover", "from": "east", "to": "west"}
    execution = Execution.model_validate(least | {"claimed_at": 1.0})
    assert (execution.dry_run, execution.manual, execution.forced, execution.leads_back) == (False,) * 4
    with pytest.raises(ValidationError):
        Execution.model_validate(least | {"claimed_at": 1.0, "epoch": 0})


def test_what_a_person_writes_into_the_form_of_an_answer_is_cut_to_what_is_kept_of_it(
    function: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, answers = function("answer_approval"), list[dict[str, Any]]()

    def answer(book: Any, plan: str, **more: Any) -> Answered:
        answers.append(more)
        return Answered(answer="deny", by=more["by"], at=1.0, now=True)

    monkeypatch.setattr(module, "answer", answer)
    monkeypatch.setattr(module, "_ledger", lambda: None)
    monkeypatch.setattr(module, "verified_question", lambda _: Question("orders", "a", 1))
    form = urlencode({"answer": "deny", "by": "A" * 101, "why": "x" * 501})
    page = module.handler({"requestContext": {"http": {"method": "POST"}}, "body": form}, Context())
    assert page["statusCode"] == 200
    assert [(len(of["by"]), len(of["why"])) for of in answers] == [(100, 500)]
