"""`failover plans stack`: a plan as a resource of a CloudFormation stack."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Final

from command.output import show_exactly
from command.plan_files import File, readable_text
from failover.plan.model import parse

TEMPLATE: Final = Path(__file__).with_name("plan_stack.yaml")
_DOCUMENT: Final = '      Document: ""\n'


def stack(file: File) -> None:
    """Print a CloudFormation template with the plan as a resource: it is put, changed and removed with the stack."""
    text = readable_text(file)
    parse(text)
    show_exactly(rendered_stack(text))


def rendered_stack(text: str) -> str:
    """The template, with a plan's text in it as it is."""
    newline_at_end = "+" if text.endswith("\n") else "-"
    block = textwrap.indent(text, " " * 8, lambda line: line.strip("\n") != "")
    document = f"      Document: |2{newline_at_end}\n{block}" + ("" if text.endswith("\n") else "\n")
    return (
        TEMPLATE.read_text(encoding="utf-8")
        .replace(_DOCUMENT, document)
        .replace(f"{document}\nOutputs", f"{document}Outputs")
    )
