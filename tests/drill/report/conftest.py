"""The sample report, made once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from drill.report import Report


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    """The made-up run."""
    path = Path(__file__).with_name("sample.py")
    spec = importlib.util.spec_from_file_location("drill_report_sample", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def report(sample: ModuleType) -> Report:
    """The report of the made-up run."""
    made: Report = sample.report()
    return made
