"""How far an execution is, as a picture of its steps: what is done, what is awaited and for how long, what is to come.

`failover status --watch` and the drill show the same; so this module knows neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from rich.table import Table
from rich.text import Text

State = Literal["to come", "running", "done", "failed", "cut short"]
STEPS: Final[Mapping[str, Sequence[str]]] = {
    "failover": (
        "claim",
        "assess",
        "fence",
        "promote_mirrors",
        "check_offsets",
        "create_groups",
        "switch_routes",
        "flip_dns",
        "verify",
        "conclude",
    ),
    "switchover": (
        "claim",
        "precheck",
        "fence",
        "drain_mirrors",
        "reverse_mirrors",
        "sync_offsets",
        "switch_routes",
        "flip_dns",
        "verify",
        "conclude",
    ),
    "restore": ("claim", "precheck", "switch_routes", "measure_divergence", "restore_mirrors", "conclude"),
}
"""Those that every execution of a kind has, in their order; what an execution alone has, is shown once it is there."""
_MARKS: Final[Mapping[State, tuple[str, str, str]]] = {
    "to come": (".", "\u00b7", "grey42"),
    "running": (">", "\u25b6", "bold cyan"),
    "done": ("x", "\u2714", "green3"),
    "failed": ("!", "\u2718", "bold red"),
    "cut short": ("-", "\u2013", "grey62"),
}
"""In ASCII, in Unicode, and their style."""
_AWAITED: Final = (
    ("unproven", "a proof: {}"),
    ("left", "to be STOPPED: {}"),
    ("unready", "to mirror again: {}"),
    ("not_drained", "to be copied: {}"),
    ("growing", "to stop growing: {}"),
    ("not_told", "offsets: {}"),
    ("not_back", "to be mirrored back: {}"),
    ("out_of_reach", "an answer: {}"),
    ("unreachable", "an answer: {}"),
    ("unreached", "an answer of {}"),
    ("fleets", "{}"),
    ("detail", "{}"),
    ("answers", "the name to change: {}"),
    ("routed_from", "routes to leave {}"),
)
"""What a step reports as not yet so, the most telling first."""
_AWAITED_AT_MOST: Final = 120


@dataclass(frozen=True, kw_only=True)
class StepProgress:
    """A step, how far it is, how many seconds it took or has taken so far, and what it waits for."""

    name: str
    state: State = "to come"
    seconds: float | None = None
    awaits: str = ""
    outcome: str = ""
    """What became of it, if it is no longer at work."""

    @property
    def waits(self) -> str:
        """What it waits for, in words."""
        return f"awaits {self.awaits}" if self.awaits else ""


def awaited(observed: Mapping[str, Any]) -> str:
    """What a step that is not done waits for, by what it reported last; empty if that does not tell."""
    for field, words in _AWAITED:
        if value := observed.get(field):
            return words.format(_listed(value))[:_AWAITED_AT_MOST]
    return ""


def with_those_to_come(kind: str, steps: Iterable[StepProgress]) -> list[StepProgress]:
    """The steps that there are, and after them those that every execution of that kind has."""
    begun = list(steps)
    names = {step.name.partition(":")[0] for step in begun}
    return begun + [StepProgress(name=name) for name in STEPS.get(kind, ()) if name not in names]


def steps_table(steps: Iterable[StepProgress], *, plain: bool, narrow: bool = False) -> Table:
    """The picture; `plain`: in ASCII; `narrow`: without what is awaited, which `awaits_line` has."""
    table = Table.grid(padding=(0, 1), expand=not narrow)
    table.add_column(width=1)
    table.add_column(no_wrap=True, overflow="crop" if plain else "ellipsis")
    table.add_column(justify="right", no_wrap=True)
    if not narrow:
        # What is awaited gets what the others leave, and is cut; else it takes the room of marks and times.
        table.add_column(no_wrap=True, overflow="crop" if plain else "ellipsis", ratio=1)
    for step in steps:
        ascii_mark, mark, style = _MARKS[step.state]
        cells = [
            Text(ascii_mark if plain else mark, style=style),
            Text(step.name, style="" if step.state == "done" else style),
            Text("" if step.seconds is None else f"{step.seconds:.1f} s", style="grey62"),
        ]
        rest = Text(step.outcome, style=style) if step.outcome else Text(step.waits, style="cyan")
        table.add_row(*cells, *([] if narrow else [rest]))
    return table


def awaits_line(steps: Iterable[StepProgress], *, plain: bool) -> Text:
    """What the first step that waits waits for, in a line; an empty one if none does."""
    waiting = next((step for step in steps if step.awaits), None)
    text = f"{waiting.name} awaits {waiting.awaits}" if waiting else ""
    return Text(text, style="cyan", no_wrap=True, overflow="crop" if plain else "ellipsis")


def _listed(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {of}" for key, of in value.items())
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    return ", ".join(map(str, value))
