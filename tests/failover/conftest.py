"""A ledger in memory, for the tests that need no more of AWS."""

from __future__ import annotations

import pytest

from failover.ledger.ledger import Ledger
from tests.ledger_in_memory import DynamoDB, ledger_of


@pytest.fixture
def dynamodb() -> DynamoDB:
    return DynamoDB()


@pytest.fixture
def book(dynamodb: DynamoDB) -> Ledger:
    return ledger_of(dynamodb)
