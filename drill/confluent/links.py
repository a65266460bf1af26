"""The cluster links of one cluster."""

from __future__ import annotations

from drill.confluent.link_book import LinkBook


class Links:
    """Links by name, in the order they were made."""

    def __init__(self) -> None:
        self._books: dict[str, LinkBook] = {}

    def add(self, book: LinkBook) -> None:
        self._books[book.link.name] = book

    def get(self, name: str) -> LinkBook | None:
        return self._books.get(name)

    def all(self) -> list[LinkBook]:
        return list(self._books.values())
