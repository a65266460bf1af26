"""What every part of a plan is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$")]
Endpoint = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+:\d{1,5}(,[A-Za-z0-9_.-]+:\d{1,5})*$")]


class Part(BaseModel):
    """A part of a plan: it does not change, and knows every field it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __hash__(self) -> int:
        """A part keys the clients that were made for it; pydantic's own hash can't do with a mapping inside."""
        return hash(self.model_dump_json())
