"""The documents: short where one begins, whole where one looks things up, and leading nowhere that is not."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from drill import pictures

ROOT = Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.split()
DOCUMENTS = [ROOT / name for name in TRACKED] or sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 9 * 1024


def test_the_readme_shows_the_pictures_that_a_drill_remakes_and_they_are_small() -> None:
    shown = set(re.findall(r"!\[[^\]]+\]\((docs/[^)]+)\)", (ROOT / "README.md").read_text()))
    assert shown == {f"docs/{name}" for name in (pictures.PAGE, pictures.TERMINAL)}
    assert all((ROOT / name).stat().st_size <= pictures.BYTES_AT_MOST for name in shown)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    files = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in files if not (document.parent / target).exists()] == []


def test_every_error_that_may_end_an_execution_has_its_entry() -> None:
    named = set(re.findall(r"`(\w+)`", (ROOT / "docs/operate.md").read_text()))
    raised = _errors_of_ours() - {"FailoverError", "TransientError"}
    assert {"LinkRejected", "SamePerson"} <= raised and raised - named == set()


def _errors_of_ours() -> set[str]:
    """Wherever in the product they stand."""
    bases: dict[str, set[str]] = {}
    for folder in ("layers/failover/python/failover", "functions"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef):
                    bases[node.name] = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    ours = {"FailoverError"}
    while more := {name for name, of in bases.items() if of & ours} - ours:
        ours |= more
    return ours
