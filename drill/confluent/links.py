"""The cluster links of one cluster."""

from __future__ import annotations

from drill.confluent.link_state import LinkBook
from drill.confluent.source import Source


class Links:
    """Links by name, in the order they were made."""

    def __init__(self) -> None:
        self._links: dict[str, tuple[LinkBook, Source]] = {}

    def add(self, book: LinkBook, source: Source) -> None:
        self._links[book.link.name] = (book, source)

    def remove(self, book: LinkBook) -> None:
        self._links.pop(book.link.name, None)

    def get(self, name: str) -> LinkBook | None:
        return self._links[name][0] if name in self._links else None

    def source_of(self, book: LinkBook) -> Source:
        """The other end of a link.

        Raises:
            KeyError: if there is no such link.
        """
        return self._links[book.link.name][1]

    def all(self) -> list[LinkBook]:
        return [book for book, _ in self._links.values()]

    def first(self) -> LinkBook | None:
        """The link that was made first; None if there is none."""
        return next(iter(self.all()), None)
