"""`keyscope access from-openapi`: a draft of a map from an API's document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from keyscope.model.ids import IdName
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.maps.draft import GRANTEES, Draft, draft_of
from keyscope_cli.maps.draft_text import expectations_text, map_text
from keyscope_cli.maps.openapi import ApiDescription, Operation, read_api_description
from keyscope_cli.output import Output


def from_openapi(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An OpenAPI or Swagger document.")],
    route_set: Annotated[
        str, typer.Option("--set", metavar="NAME", help="A name for the route set.")
    ] = "api",
    placeholder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=ID",
            help="A path parameter and the ID that it stands for, such as tenantId=accountId."
            " Repeat it for more.",
        ),
    ] = None,
    map_file: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write the draft to this new file."),
    ] = None,
    expectations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write expectations for `keyscope access test` to this new file.",
        ),
    ] = None,
) -> None:
    """Draft a map from an OpenAPI document.

    The draft marks operations as undecided if the document does not say who may call them.
    """
    placeholders = dict(_placeholder(each) for each in placeholder or [])
    api = read_api_description(file)
    draft = draft_of(api.operations, placeholders)
    output = Output()
    text = map_text(draft, api, route_set)
    if map_file is None:
        output.document(text)
    else:
        _write_new(map_file, text)
    if expectations is not None:
        _write_new(expectations, expectations_text(api, placeholders))
    output.note(f"{len(api.operations)} operations: {', '.join(_counts(draft, api))}.")
    names = {name for each in api.operations for name in each.names or ()}
    for name in sorted(names - GRANTEES.keys()):
        output.warn(f"Ignored {name}: Keyscope has no such scope.")


def _counts(draft: Draft, api: ApiDescription) -> Iterator[str]:
    """Yield how many operations are decided, and how many are not, by list of the map."""
    yield f"{len(api.operations) - len(draft.undecided)} decided"
    for name, grantee in GRANTEES.items():
        found = (each for rule, each in draft.refused.items() if rule.grantee is grantee)
        if number := len(frozenset[Operation]().union(*found)):
            yield f"{number} undecided for {name}"
    if draft.unassigned:
        yield f"{len(draft.unassigned)} assigned to no scope"


def _placeholder(text: str) -> tuple[str, str]:
    name, equals, id_name = text.partition("=")
    if not equals or not name or id_name not in {*IdName}:
        message = f"--placeholder {text!r} is malformed."
        advice = f"Use NAME=ID, where ID is one of {', '.join(IdName)}."
        raise Failure(ExitStatus.USAGE, message, advice)
    return name, id_name


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise Failure(ExitStatus.USAGE, f"{file} already exists.", "Use another file.") from None
    except OSError as error:
        raise Failure(ExitStatus.USAGE, f"Cannot write {file}: {error.strerror}.") from None
