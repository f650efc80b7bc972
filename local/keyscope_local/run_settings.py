"""The settings of `make run`, read from environment variables.

- `PORT`: the first of two ports; 3000 by default, and 0 lets the system choose.
- `ONCE=1`: exit after the tour, with status 1 if a response was not as expected.
- `STATE_FOLDER`: the folder for the session file and the functions' log; `.local` by default.
- `PARAMETERS`: the template's parameters, such as
  `PARAMETERS="AccessMapRoutes=v2 AuthorizerCacheSeconds=0"`.
- `PLATFORM`: what to assume about API Gateway (`keyscope_local/gateway/platform_behavior.py`).
- `ATTACH`: the path of another SAM template whose APIs import this stack's authorizers. They are
  served after the stack's own APIs. `ATTACH_PARAMETERS` are its parameters.
- `ACCESS_MAP`: the path of an access map file, in place of the parameter AccessMap.
- `CALLED_FROM`: the folder in which relative paths start; the working directory by default. With
  `make -C`, that is not the folder where you type the command.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyscope_local.gateway.api_definition import ApiKind
from keyscope_local.gateway.platform_behavior import PlatformBehavior
from keyscope_local.gateway.platform_settings import read_behaviors
from keyscope_local.project import ROOT
from keyscope_local.template.access_map_file import with_access_map
from keyscope_local.template.attached import attach
from keyscope_local.template.stack import Stack, load_stack
from keyscope_local.tour.events import STATE_FOLDER

_EVERYTHING: Final = {"HttpApiEnabled": "true", "AccessLogEnabled": "true"}


class WrongSetting(Exception):  # noqa: N818 - a state
    """A setting of the run is wrong; the text names it."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What to run and how. `folder` is the state folder, `once` ends the run after the tour."""

    stack: Stack
    port: int
    folder: Path
    behaviors: Mapping[ApiKind, PlatformBehavior]
    once: bool


def read_run_settings(environment: Mapping[str, str]) -> RunSettings:
    """Read the settings and load the template.

    Raises:
        WrongSetting: a port, a parameter or a path is wrong.
        TemplateError: a template cannot run with these parameters.
        WrongBehavior: `PLATFORM` is wrong.
    """
    port, called_from = _port(environment), Path(environment.get("CALLED_FROM") or ".")
    parameters = {**_EVERYTHING, **_parameters(environment, "PARAMETERS")}
    stack = load_stack(ROOT / "template.yaml", parameters)
    if access_map := environment.get("ACCESS_MAP"):
        file = _file("ACCESS_MAP", called_from / access_map, "an access map")
        stack = with_access_map(stack, file)
    if template := environment.get("ATTACH"):
        its_parameters = _parameters(environment, "ATTACH_PARAMETERS")
        file = _file("ATTACH", called_from / template, "a SAM template")
        stack = attach(stack, file, its_parameters)
    return RunSettings(
        stack,
        port,
        called_from / folder if (folder := environment.get("STATE_FOLDER")) else STATE_FOLDER,
        read_behaviors(environment.get("PLATFORM", "")),
        once=environment.get("ONCE", "") not in ("", "0"),
    )


def _file(setting: str, path: Path, kind: str) -> Path:
    if not path.is_file():
        message = f"{setting} is {str(path)!r}, which is not a file. Use the path of {kind}"
        raise WrongSetting(message)
    return path.resolve()


def _port(environment: Mapping[str, str]) -> int:
    text = environment.get("PORT") or "3000"
    if not text.isascii() or not text.isdigit() or int(text) >= 2**16 - 1:
        message = f"PORT is {text!r}. Use a number from 0 to 65534, the first of two ports"
        raise WrongSetting(message)
    return int(text)


def _parameters(environment: Mapping[str, str], setting: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in environment.get(setting, "").split()]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        message = (
            f"{setting} contains {', '.join(wrong)}. Use Name=Value pairs, separated by spaces"
        )
        raise WrongSetting(message)
    return {name: value for name, _, value in pairs}
