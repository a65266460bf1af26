"""Every command in the documents is one: its name, its options, its target. Every alarm and message has its entry."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from command.__main__ import app as failover
from drill.__main__ import app as drill
from drill.tour import stops
from tests.docs.test_docs import DOCUMENTS, ROOT

APPS = {"failover": get_command(failover), "python -m drill": get_command(drill)}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
BOOKS = [document for document in DOCUMENTS if "decisions" not in document.parts and document.name != "CHANGELOG.md"]


def typed(text: str) -> Iterator[str]:
    """The commands of a document, in code within a line and in blocks of it."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    inline = re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [*lines, *(code.replace("\n", " ") for code in inline)]:
        command = line.strip().removeprefix(".venv/bin/").partition("#")[0].partition("&&")[0].strip()
        if re.match(r"(failover|python -m drill|make) [a-z-]", command):
            yield command


def wrong_word(node: Any, words: list[str]) -> str | None:
    """The first word that the command does not take; None if it takes them all."""
    options = {name for param in node.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    for position, word in enumerate(words):
        if word.startswith("--"):
            if word.partition("=")[0] not in options | ALWAYS:
                return word
        elif hasattr(node, "commands"):
            if word not in node.commands:
                return word
            return wrong_word(node.commands[word], words[position + 1 :])
    return None


ALWAYS = {"--drill", "--debug", "--stack", "--region", "--profile"}


@pytest.mark.parametrize("document", BOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_a_document_is_one(document: Path) -> None:
    wrong = {}
    for command in typed(document.read_text()):
        name = next(name for name in (*APPS, "make") if command.startswith(f"{name} "))
        words = shlex.split(command.removeprefix(name).replace("…", ""))
        found = (
            wrong_word(APPS[name], words) if name != "make" else next((w for w in words[:1] if w not in TARGETS), None)
        )
        if found:
            wrong[command] = found
    assert wrong == {}


def test_the_tour_types_commands_that_there_are() -> None:
    lines = [list(words) for stop in stops() for words in stop.commands]
    assert len(lines) > 8 and [wrong_word(APPS["failover"], words) for words in lines] == [None] * len(lines)


def test_what_is_no_command_is_noticed() -> None:
    text = "Say `failover statsu` and\n```sh\nfailover status --wacth   # looks\n```\nor `python -m drill fly`"
    apps = [next(app for app in APPS if command.startswith(app)) for command in typed(text)]
    words = [shlex.split(command.removeprefix(app)) for app, command in zip(apps, typed(text), strict=True)]
    assert [wrong_word(APPS[app], line) for app, line in zip(apps, words, strict=True)] == ["--wacth", "statsu", "fly"]


def test_every_alarm_has_its_entry() -> None:
    named = set(re.findall(r"`(\w+Alarm)`", (ROOT / "docs/operate.md").read_text()))
    files = (*ROOT.glob("*.yaml"), ROOT / "command/alarms.yaml")
    templates = "".join(path.read_text() for path in files)
    alarms = set(re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::(?:Composite)?Alarm", templates, re.MULTILINE))
    assert alarms and alarms == named


@pytest.mark.parametrize("folder", ["layers", "functions"])
def test_every_subject_of_a_message_has_its_entry(folder: str) -> None:
    book = (ROOT / "docs/operate.md").read_text()
    sources = "".join(path.read_text() for path in (ROOT / folder).rglob("*.py"))
    subjects = re.findall(r'subject=f"([^"]+)"', sources)
    telling = [max(re.split(r"\{[^}]*\}", subject), key=len).strip(" :,?") for subject in subjects]
    assert subjects and [words for words in telling if len(words) > 6 and words not in book] == []
