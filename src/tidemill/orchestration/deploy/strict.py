"""Models of a file of deployments that refuse what Prefect would ignore."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, field_validator
from pydantic_core import PydanticUseDefault

__all__ = ["Strict"]


class Strict(BaseModel, extra="forbid", strict=True):
    """Refuses unknown keys and values of other types; null is the same as a missing key."""

    @field_validator("*", mode="before")
    @classmethod
    def _default_for_null(cls, value: Any) -> Any:
        if value is None:
            raise PydanticUseDefault
        return value
