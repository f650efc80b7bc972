"""Reads `PLATFORM`, the settings of what the local gateway assumes about API Gateway."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import cast

from keyscope_local.gateway.api_definition import ASSUMED, ApiKind
from keyscope_local.gateway.platform_behaviour import PlatformBehaviour, RepeatedHeader


class WrongBehaviour(ValueError):  # noqa: N818 - a state
    """A platform setting is invalid; the text says which one."""


def read_behaviours(text: str) -> Mapping[ApiKind, PlatformBehaviour]:
    """Read settings such as `rest.caches_errors=true http.max_policy_bytes=4096`.

    Raises:
        WrongBehaviour: with the part that is not a setting.
    """
    behaviours = dict(ASSUMED)
    kinds = {kind.lower(): kind for kind in ApiKind}
    for part in text.split():
        place, _, value = part.partition("=")
        kind, _, name = place.partition(".")
        if kind not in kinds or name not in {member.name for member in fields(PlatformBehaviour)}:
            message = f"PLATFORM contains {part!r}. Use rest.NAME=VALUE or http.NAME=VALUE"
            raise WrongBehaviour(message)
        behaviours[kinds[kind]] = _with(behaviours[kinds[kind]], name, value)
    return behaviours


def _read_value(former: object, value: str) -> bool | int | RepeatedHeader:
    match former:
        case bool():
            return {"true": True, "false": False}[value]
        case int():
            return int(value)
        case _:
            return RepeatedHeader(value)


def _with(behaviour: PlatformBehaviour, name: str, value: str) -> PlatformBehaviour:
    former: object = getattr(behaviour, name)
    changed = cast("Callable[..., PlatformBehaviour]", replace)
    try:
        return changed(behaviour, **{name: _read_value(former, value)})
    except (KeyError, ValueError):
        message = f"PLATFORM: {name} cannot be {value!r}; it is {former!r} by default"
        raise WrongBehaviour(message) from None
