"""The base of all request bodies."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Body(BaseModel):
    """A JSON object of known members, in camel case."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False
    )


def drop_default(schema: dict[str, Any]) -> None:
    """Omit a default from a member's schema: it only marks the member as absent."""
    schema.pop("default", None)
