"""Reads the settings of what the local gateway assumes about API Gateway."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import cast

from keyscope_local.gateway.api_definition import ASSUMED, ApiKind
from keyscope_local.gateway.platform_behavior import PlatformBehavior, RepeatedHeader


class WrongBehavior(ValueError):  # noqa: N818 - a state
    """A platform setting is invalid; the text says which one."""


def read_behaviors(text: str) -> Mapping[ApiKind, PlatformBehavior]:
    """Read settings such as `rest.caches_errors=true http.max_policy_bytes=4096`.

    Raises:
        WrongBehavior: with the part that is not a setting.
    """
    behaviors = dict(ASSUMED)
    kinds = {kind.lower(): kind for kind in ApiKind}
    for part in text.split():
        place, _, value = part.partition("=")
        kind, _, name = place.partition(".")
        if kind not in kinds or name not in {member.name for member in fields(PlatformBehavior)}:
            message = f"{part!r} is not a platform setting. Use rest.NAME=VALUE or http.NAME=VALUE"
            raise WrongBehavior(message)
        behaviors[kinds[kind]] = _with(behaviors[kinds[kind]], name, value)
    return behaviors


def _read_value(former: object, value: str) -> bool | int | RepeatedHeader:
    match former:
        case bool():
            return {"true": True, "false": False}[value]
        case int():
            return int(value)
        case _:
            return RepeatedHeader(value)


def _with(behavior: PlatformBehavior, name: str, value: str) -> PlatformBehavior:
    former: object = getattr(behavior, name)
    changed = cast("Callable[..., PlatformBehavior]", replace)
    try:
        return changed(behavior, **{name: _read_value(former, value)})
    except (KeyError, ValueError):
        message = f"The platform setting {name} cannot be {value!r}; it is {former!r} by default"
        raise WrongBehavior(message) from None
