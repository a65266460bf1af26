"""What people are sent: a subject that a phone shows whole, and some ten lines that a tired person understands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

SUBJECT_LIMIT: Final = 60
"""Characters that a phone shows of a subject, more or less."""
LINE_LIMIT: Final = 300
"""Characters of a line: the rest is in the ledger."""
HAPPENED_LIMIT: Final = 600
"""Characters of the line that says what happened: an error ends with what to do."""
TEXT_LIMIT: Final = 3000
"""Characters of all lines that are not links: Slack takes no more in a section
(https://docs.slack.dev/reference/block-kit/blocks/section-block)."""
LINK_LIMIT: Final = 1000
"""Characters of a link: one that is cut leads nowhere."""
SHORT_LINE_LIMIT: Final = 160
"""Characters of a line, where whole ones would be too many."""
EVIDENCE_LIMIT: Final = 4
"""Lines of evidence."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message to people; what is empty is left out."""

    subject: str
    what_happened: str
    clients: str = ""
    """What clients feel now."""
    done: str = ""
    """What was done, and can't be undone."""
    to_do: str = ""
    commands: Sequence[str] = ()
    """Of `failover`, to be pasted."""
    evidence: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()
    """What each leads to, and where it does."""

    def text(self, where: str = "") -> str:
        """The lines. `where`: what a command needs to find the controller."""
        links = "".join(f"{one_line(f'{name}: {address}', LINK_LIMIT)}\n" for name, address in self.links)
        for limit in (LINE_LIMIT, SHORT_LINE_LIMIT):
            happened = one_line(self.what_happened, HAPPENED_LIMIT if limit == LINE_LIMIT else limit)
            lines = "".join(f"{line}\n" for line in (happened, *(one_line(line, limit) for line in self._lines(where))))
            if len(lines) + len(links) <= TEXT_LIMIT:
                break
        return lines + links

    @property
    def needs_somebody(self) -> bool:
        """Whether it asks something of somebody, and is worth to wake them."""
        return bool(self.to_do) and not self.to_do.startswith("nothing")

    def _lines(self, where: str) -> Iterator[str]:
        for name, line in (("Clients", self.clients), ("Done", self.done), ("You", self.to_do)):
            if line:
                yield f"{name}: {line}"
        yield from (f"  failover {command}{where}" for command in self.commands)
        yield from (f"- {line}" for line in self.evidence[:EVIDENCE_LIMIT])
        if (more := len(self.evidence) - EVIDENCE_LIMIT) > 0:
            yield f"- and {more} more"


def one_line(text: str, limit: int = LINE_LIMIT) -> str:
    """A text in one line, its indent kept, without control characters, and no longer than it may be."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return indent + (line if len(line) <= limit else f"{line[: limit - 3]}...")
