"""What is asked of the fakes, and what they answer, held to the shapes that botocore has of each operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.validate import ParamValidator

from simulation.aws.errors import NotSimulated


def check_request(operation: Any, asked: Mapping[str, Any]) -> None:
    """Hold what is asked to the operation's input.

    Raises:
        NotSimulated: AWS would refuse it.
    """
    _check(f"{operation.name} is asked", asked, operation.input_shape)


def check_answer(operation: Any, answer: Mapping[str, Any]) -> None:
    """Hold an answer to the operation's output.

    Raises:
        NotSimulated: AWS would not answer that.
    """
    fields = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    if operation.output_shape is not None:
        _check(f"{operation.name} answers", fields, operation.output_shape)


def _check(what: str, fields: Mapping[str, Any], shape: Any) -> None:
    report = ParamValidator().validate(fields, shape)
    if report.has_errors():
        raise NotSimulated(f"{what}: {report.generate_report()}")
