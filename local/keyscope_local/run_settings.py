"""What `keyscope up` runs, read from its options."""

from collections.abc import Mapping, Sequence
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

_EVERYTHING: Final = {"HttpApiEnabled": "true", "AccessLogEnabled": "true"}


class WrongSetting(Exception):  # noqa: N818 - a state
    """A setting of the run is wrong; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of a run, as `keyscope up` takes them.

    `port` is the first of two ports, or 0, with which the system chooses. `folder` holds the
    session file and the functions' log. `once` ends the run after the tour. Each text in
    `parameters` and `attach_parameters` holds pairs Name=Value, separated by spaces. `platform`
    says what to assume about API Gateway (`keyscope_local/gateway/platform_behavior.py`). `attach`
    is another SAM template, whose APIs are served after the stack's own. `access_map` is a file
    used in place of the parameter AccessMap.
    """

    folder: Path
    port: int = 3000
    once: bool = False
    parameters: Sequence[str] = ()
    platform: str = ""
    attach: Path | None = None
    attach_parameters: Sequence[str] = ()
    access_map: Path | None = None


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What to run and how. `folder` is the state folder, `once` ends the run after the tour."""

    stack: Stack
    port: int
    folder: Path
    behaviors: Mapping[ApiKind, PlatformBehavior]
    once: bool


def read_run_settings(options: RunOptions) -> RunSettings:
    """Read the options and load the template.

    Raises:
        WrongSetting: a parameter or a path is wrong.
        TemplateError: a template cannot run with these parameters.
        WrongBehavior: `platform` is wrong.
    """
    parameters = {**_EVERYTHING, **_parameters(options.parameters, "--parameters")}
    stack = load_stack(ROOT / "template.yaml", parameters)
    if options.access_map is not None:
        file = _file("--access-map", options.access_map, "an access map")
        stack = with_access_map(stack, file)
    if options.attach is not None:
        its_parameters = _parameters(options.attach_parameters, "--attach-parameters")
        file = _file("--attach", options.attach, "a SAM template")
        stack = attach(stack, file, its_parameters)
    return RunSettings(
        stack,
        options.port,
        options.folder,
        read_behaviors(options.platform),
        once=options.once,
    )


def _file(option: str, path: Path, kind: str) -> Path:
    if not path.is_file():
        message = f"There is no file {str(path)!r}. Set {option} to {kind}."
        raise WrongSetting(message)
    return path.resolve()


def _parameters(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = [part.partition("=") for text in texts for part in text.split()]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        message = f"{option} contains {', '.join(wrong)}. Use Name=Value pairs, separated by spaces"
        raise WrongSetting(message)
    return {name: value for name, _, value in pairs}
