"""Request bodies, read strictly: unknown members are faults, and all faults are reported."""

import json
import math
from dataclasses import replace
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
)

from keyscope.lifecycle.key_fields import (
    DISPLAY_NAME_PATTERN,
    MAX_DISPLAY_NAME_LENGTH,
    read_display_name,
)
from keyscope.lifecycle.management import (
    DEFAULT_OVERLAP_SECONDS,
    MAX_METADATA_BYTES,
    MAX_OVERLAP_SECONDS,
    METADATA_TOO_LARGE,
    AppChange,
    AppRequest,
    KeyChange,
    is_too_large,
    merged,
)
from keyscope.lifecycle.operations import KeyRequest
from keyscope.management_api.body import Body, drop_default
from keyscope.management_api.key_limits import ChangedLimits, NewLimits
from keyscope.model.ids import INTEGRATION_ID_PATTERN, is_integration_id

_MAX_WHOLE_NUMBER = 2**53 - 1
"""The largest whole number that every JSON parser preserves exactly (RFC 8259, section 6)."""
_SCALARS = ("string", "boolean", "number", "null")
_NOT_TEXT = "must be valid Unicode text, without unpaired surrogates"
_NO_INTEGRATION_ID = "must be an integration id: 24 lowercase hex characters"
_NOT_SCALAR = "must be a string, a finite number, a boolean or null"


def _metadata_in_bounds(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(metadata, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError(_NOT_TEXT) from None
    if is_too_large(merged(metadata, {})):
        raise ValueError(METADATA_TOO_LARGE)
    return metadata


def _scalar(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(_NOT_SCALAR)
    if value is not None and not isinstance(value, str | bool | int | float):
        raise ValueError(_NOT_SCALAR)
    return value


def _whole(value: object) -> object:
    # JSON has one number type: 60.0 is 60 (JSON Schema 2020-12, section 4.2.3).
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _integration_id(text: str) -> str:
    if not is_integration_id(text):
        raise ValueError(_NO_INTEGRATION_ID)
    return text


# The bounds come before the validator, because pydantic makes the JSON Schema from what it wraps.
WholeNumber = Annotated[int, Field(ge=0, le=_MAX_WHOLE_NUMBER), BeforeValidator(_whole)]
OverlapSeconds = Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS), BeforeValidator(_whole)]
DisplayName = Annotated[
    str,
    AfterValidator(read_display_name),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_DISPLAY_NAME_LENGTH,
            "pattern": DISPLAY_NAME_PATTERN,
            "description": "A name with at least one visible character, and without control"
            " characters, line separators and text-direction marks.",
        }
    ),
]
IntegrationId = Annotated[
    str,
    AfterValidator(_integration_id),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{INTEGRATION_ID_PATTERN}$",
            "description": "The integration that the key is bound to: the key's scope is then"
            " integration. Keyscope does not check that the integration exists.",
        }
    ),
]
Metadata = Annotated[
    dict[str, Annotated[Any, AfterValidator(_scalar)]],
    AfterValidator(_metadata_in_bounds),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": name} for name in _SCALARS]},
            "description": f"Your own flat members, up to {MAX_METADATA_BYTES} bytes as compact"
            " JSON in UTF-8; nulls do not count.",
        }
    ),
]


class AppSettings(Body):
    """The app settings of the Sunshine API. Keyscope stores them for the backend."""

    conversation_retention_seconds: WholeNumber | None = None
    mask_credit_card_numbers: bool | None = None
    use_animal_names: bool | None = None
    echo_postback: bool | None = None
    ignore_auto_conversation_start: bool | None = None
    multi_convo_enabled: bool | None = None
    app_localization_enabled: bool | None = None
    end_session_enabled: bool | None = None
    disable_conversation_reopen: bool | None = None

    def members(self) -> dict[str, Any]:
        """Return what was sent, nulls included."""
        return self.model_dump(by_alias=True, exclude_unset=True)


_NO_SETTINGS = AppSettings()


class AppCreateBody(Body):
    """A new app."""

    display_name: DisplayName
    settings: AppSettings = Field(default=_NO_SETTINGS, json_schema_extra=drop_default)
    metadata: Metadata | None = None

    def request(self) -> AppRequest:
        """Return the requested app; a null is the same as an absent member."""
        settings, metadata = self.settings.members(), self.metadata or {}
        return AppRequest(self.display_name, merged({}, settings), merged({}, metadata))


class AppUpdateBody(Body):
    """A change to an app. Settings and metadata are merged (RFC 7396): a null removes a member."""

    display_name: DisplayName = Field(default="", json_schema_extra=drop_default)
    settings: AppSettings = Field(default=_NO_SETTINGS, json_schema_extra=drop_default)
    metadata: Metadata | None = None

    def change(self) -> AppChange:
        """Return the requested change."""
        return AppChange(
            display_name=self.display_name or None,
            settings=self.settings.members(),
            metadata=self.metadata or {},
            clear_metadata="metadata" in self.model_fields_set and self.metadata is None,
        )


class _NewName(Body):
    display_name: DisplayName


class _ChangedName(Body):
    display_name: DisplayName = Field(default="", json_schema_extra=drop_default)


# The name comes first in the schema, because pydantic collects fields from the last base first.
class KeyCreateBody(NewLimits, _NewName):
    """A new key."""

    def request(self) -> KeyRequest:
        """Return the requested key."""
        return KeyRequest(self.display_name, self.limits())


class AppKeyCreateBody(KeyCreateBody):
    """A new key of an app, which may be bound to one of its integrations."""

    integration_id: IntegrationId | None = None

    def request(self) -> KeyRequest:
        """Return the requested key; a null is the same as an absent member."""
        return replace(super().request(), integration_id=self.integration_id)


class KeyUpdateBody(ChangedLimits, _ChangedName):
    """A change to a key. A null removes a limit."""

    def change(self, now: float) -> KeyChange:
        """Return the change requested at a time, in seconds since the epoch."""
        return KeyChange(self.display_name or None, self.chosen_limits(), self.changed_limits(now))


class RotateBody(Body):
    """A rotation, and how long the previous secret is still accepted."""

    overlap_seconds: OverlapSeconds = DEFAULT_OVERLAP_SECONDS


class AppCreateBodyV11(AppCreateBody):
    """A new app, in the v1.1 shape."""

    display_name: DisplayName = Field(alias="name")


class AppUpdateBodyV11(AppUpdateBody):
    """A change to an app, in the v1.1 shape. Settings and metadata are merged (RFC 7396)."""

    display_name: DisplayName = Field(default="", alias="name", json_schema_extra=drop_default)


class KeyCreateBodyV11(KeyCreateBody):
    """A new key, in the v1.1 shape."""

    display_name: DisplayName = Field(alias="name")


class KeyUpdateBodyV11(KeyUpdateBody):
    """A change to a key, in the v1.1 shape. A null removes a limit."""

    display_name: DisplayName = Field(default="", alias="name", json_schema_extra=drop_default)


class ServiceAccountBody(Body):
    """A new service account, or a new name for one."""

    display_name: DisplayName = Field(alias="name")
