"""The fakes of AWS are asked, and answer, in the shapes that botocore has of each operation."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from simulation.aws.errors import NotSimulated
from simulation.aws.shapes import check_answer, check_request
from tests.simulation.conftest import Lives


@pytest.fixture(scope="module")
def get_item() -> Any:
    client: Any = boto3.client("dynamodb", region_name="us-west-2")
    return client.meta.service_model.operation_model("GetItem")


@pytest.mark.slow
def test_every_call_of_a_life_has_the_shape_of_its_operation(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATION_CHECKS_SHAPES", "1")

    told = lives.run("--seed", "1")

    assert told.returncode == 0, told.stdout + told.stderr


def test_a_field_that_an_operation_does_not_know_is_found(get_item: Any) -> None:
    with pytest.raises(NotSimulated, match="Itme"):
        check_answer(get_item, {"Itme": {}})
    with pytest.raises(NotSimulated, match="Key"):
        check_request(get_item, {"TableName": "ledger"})
    check_answer(get_item, {"Item": {"pk": {"S": "plan#orders"}}, "ResponseMetadata": {}})
