"""Access maps read from files, with their policies prepared as an authorizer prepares them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

import keyscope.access
from keyscope.access.access_map import read_access_map, unreached_management
from keyscope.access.method_arn import LONGEST_REGION
from keyscope.access.policy import Policies, prepare_policies
from keyscope.access.rules import MANAGEMENT, AccessMap
from keyscope.entry.settings import DEFAULT_MAX_STAGE_LENGTH
from keyscope.errors import Misconfigured
from keyscope_cli.failures import ExitStatus, Failure

_PREFIX: Final = "access map: "
"""How errors of maps begin at an authorizer's start, where nothing else says what is wrong."""
PACKAGED: Final = Path(keyscope.access.__file__).parent / "scopes.toml"

Routes = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="The route sets to use, separated by commas. Not needed for a map with only one.",
    ),
]
"""The option that selects route sets, separated by commas."""


@dataclass(frozen=True, slots=True)
class LoadedMap:
    """The selected route sets of an access map, and their policies."""

    access_map: AccessMap
    policies: Policies


def load_map(
    file: Path,
    routes: str | None,
    max_stage_length: int = DEFAULT_MAX_STAGE_LENGTH,
    region: str = LONGEST_REGION,
) -> LoadedMap:
    """Load a map as an authorizer does at its start.

    `routes` are route sets separated by commas; a map that has only one needs none.

    Raises:
        Failure: the file cannot be read, or an authorizer would refuse the map.
    """
    name = file.name if file == PACKAGED else str(file)
    try:
        access_map = read_access_map(text_of(file), routes.split(",") if routes else [])
        policies = prepare_policies(access_map, max_stage_length, region=region)
    except Misconfigured as error:
        message = f"Invalid access map {name}: {str(error).removeprefix(_PREFIX)}"
        advice = "docs/reference/access-map.md lists the rules."
        raise Failure(ExitStatus.NO, message, advice) from None
    return LoadedMap(access_map, policies)


def management_warning(access_map: AccessMap) -> str:
    """Return what does not work because a map lacks Keyscope's own routes, or nothing."""
    missing = unreached_management(access_map)
    if not missing:
        return ""
    return (
        f"No key reaches {', '.join(missing)}, so the console and `keyscope` cannot manage apps"
        f" and keys. Add the route set {MANAGEMENT!r}."
    )


def text_of(file: Path) -> str:
    """Return the text of a file.

    Raises:
        Failure: it cannot be read.
    """
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Failure(ExitStatus.USAGE, f"Cannot read {file}: {reason}.") from None
