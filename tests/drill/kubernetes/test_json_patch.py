"""JSON Patch as RFC 6902 has it: in order, and all of it or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from drill.kubernetes.json_patch import PatchRefused, patched

DOCUMENT: dict[str, Any] = {
    "metadata": {"annotations": {"a/b": "1"}},
    "spec": {"routes": [{"name": "x"}, {"name": "y"}]},
}


@pytest.mark.parametrize(
    ("operations", "where", "expected"),
    [
        ([{"op": "add", "path": "/spec/configId", "value": "1"}], "configId", "1"),
        (
            [{"op": "add", "path": "/spec/routes/-", "value": {"name": "z"}}],
            "routes",
            [*DOCUMENT["spec"]["routes"], {"name": "z"}],
        ),
        (
            [{"op": "add", "path": "/spec/routes/0", "value": {"name": "z"}}],
            "routes",
            [{"name": "z"}, *DOCUMENT["spec"]["routes"]],
        ),
        ([{"op": "replace", "path": "/spec/routes/1/name", "value": "z"}], "routes", [{"name": "x"}, {"name": "z"}]),
        ([{"op": "remove", "path": "/spec/routes/0"}], "routes", [{"name": "y"}]),
    ],
)
def test_an_operation_changes_a_copy(operations: Any, where: str, expected: Any) -> None:
    before = repr(DOCUMENT)
    assert patched(DOCUMENT, operations)["spec"][where] == expected
    assert repr(DOCUMENT) == before


def test_a_slash_in_a_key_is_escaped() -> None:
    operations = [{"op": "test", "path": "/metadata/annotations/a~1b", "value": "1"}]
    assert patched(DOCUMENT, operations) == DOCUMENT


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/routes/0/name", "value": "y"},
        {"op": "test", "path": "/spec/nothing", "value": None},
        {"op": "replace", "path": "/spec/nothing", "value": 1},
        {"op": "remove", "path": "/spec/routes/2"},
        {"op": "add", "path": "/nothing/there", "value": 1},
        {"op": "add", "path": "/spec/routes/x", "value": 1},
        {"op": "jump", "path": "/spec"},
        {"op": "remove", "path": ""},
        "remove",
    ],
)
def test_what_does_not_apply_is_refused(operation: Any) -> None:
    with pytest.raises(PatchRefused):
        patched(DOCUMENT, [{"op": "add", "path": "/spec/first", "value": 1}, operation])


def test_a_patch_is_a_list() -> None:
    with pytest.raises(PatchRefused):
        patched(DOCUMENT, {"spec": {}})
