"""What a service of AWS answers instead of what was asked."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error that a service answers, by its code on the wire."""

    def __init__(
        self, code: str, message: str = "", *, status: int = 400, fields: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields or {}
        """Of the error's own shape."""


class NotSimulated(Exception):
    """The product asks for something that the simulation has not: a gap here, never an answer."""
