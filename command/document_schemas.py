"""Writes the JSON Schema of every document that leaves the controller to events/schemas/.

`python -m command.document_schemas`, after a change of failover.documents; a test says if it was forgotten. The meaning
of a field is the docstring below it.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final

from pydantic import TypeAdapter

from failover.aws.events import OMITTED
from failover.detection.observation import Observations
from failover.documents import decision, execution, practice, readiness, steps

FOLDER: Final = Path(__file__).resolve().parent.parent / "events" / "schemas"
DOCUMENTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "execution-report": execution.ExecutionReport,
        "execution-ended": execution.ExecutionEnded,
        "decision": decision.Decision,
        "evidence": decision.Evidence,
        "practice-ended": practice.PracticeEnded,
        "practice-progress": steps.StepReport[steps.PracticeProgress],
        "readiness": readiness.Readiness,
        "readiness-changed": readiness.ReadinessChanged,
        "observation": Observations,
        "claimed": steps.Claimed,
        "concluded": steps.Concluded,
        "step-assess": steps.StepReport[steps.Assessed],
        "step-call_hooks": steps.StepReport[steps.HooksCalled],
        "step-check_offsets": steps.StepReport[steps.OffsetsChecked],
        "step-drain_mirrors": steps.StepReport[steps.Drained],
        "step-create_groups": steps.StepReport[steps.GroupsCreated],
        "step-fence": steps.StepReport[steps.Fenced],
        "step-flip_dns": steps.StepReport[steps.NameFlip],
        "step-measure_divergence": steps.StepReport[steps.Divergence],
        "step-precheck_restore": steps.StepReport[steps.RestorePrechecked],
        "step-restore_mirrors": steps.StepReport[steps.Restored],
        "step-precheck": steps.StepReport[steps.Prechecked],
        "step-promote_mirrors": steps.StepReport[steps.Promotion],
        "step-request_approval": steps.StepReport[steps.ApprovalRequested],
        "step-rescue_records": steps.StepReport[steps.RecordsRescued],
        "step-reverse_mirrors": steps.StepReport[steps.Reversal],
        "step-switch_routes": steps.StepReport[steps.RouteSwitch],
        "step-sync_offsets": steps.StepReport[steps.OffsetsSynced],
        "step-verify": steps.StepReport[steps.Verified],
    }
)
"""By the name of their file; a step's is that of its function."""
EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Failover succeeded": "execution-ended",
        "Failover stood-down": "execution-ended",
        "Failover failed": "execution-ended",
        "Switchover succeeded": "execution-ended",
        "Switchover stood-down": "execution-ended",
        "Switchover failed": "execution-ended",
        "Restore succeeded": "execution-ended",
        "Restore stood-down": "execution-ended",
        "Restore failed": "execution-ended",
        "Practice succeeded": "practice-ended",
        "Practice stood-down": "practice-ended",
        "Practice failed": "practice-ended",
        "Failover Decision": "decision",
        "Readiness changed": "readiness-changed",
        "Site Sighting": "observation",
    }
)
"""The document that is the detail of an event, by its detail-type."""
_MODULES: Final = (execution, decision, practice, readiness, steps)


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name in DOCUMENTS:
        path(name).write_text(schema_text(name))


def path(name: str) -> Path:
    """The file of a document's schema."""
    return FOLDER / f"{name}.schema.json"


def schema_text(name: str) -> str:
    """A document's schema, as it stands in its file."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def schema(name: str) -> dict[str, Any]:
    """A document's schema: nothing may be in it that is not described."""
    described = TypeAdapter(DOCUMENTS[name]).json_schema(mode="serialization")
    meanings = {title: words for module in _MODULES for title, words in _meanings(module).items()}
    for part in (described, *described.get("$defs", {}).values()):
        if "properties" in part:
            part["additionalProperties"] = False
        for field, value in part.get("properties", {}).items():
            if words := meanings.get(part["title"].partition("[")[0], {}).get(field):
                value["description"] = words
    if name in EVENTS.values():
        _allow_for_size(described)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def _allow_for_size(described: dict[str, Any]) -> None:
    """EventBridge takes 256 KB: an event that would be longer lacks fields, and names them."""
    omitted = {"type": "array", "items": {"type": "string"}, "description": "Fields that were too long to be sent."}
    described["properties"][OMITTED] = omitted
    described |= {"if": {"not": {"required": [OMITTED]}}, "then": {"required": described.pop("required")}}


def _meanings(module: ModuleType) -> dict[str, dict[str, str]]:
    """The docstrings of fields, by class; with those of the class that it extends."""
    meanings: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            inherited = [meanings.get(ast.unparse(base), {}) for base in node.bases]
            meanings[node.name] = {field: words for part in inherited for field, words in part.items()}
            for line, after in zip(node.body, node.body[1:], strict=False):
                match line, after:
                    case (
                        ast.AnnAssign(target=ast.Name(id=field)),
                        ast.Expr(value=ast.Constant(value=str(words))),
                    ):
                        meanings[node.name][field] = " ".join(textwrap.dedent(words).split())
    return meanings


if __name__ == "__main__":
    main()
