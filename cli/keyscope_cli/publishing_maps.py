"""`keyscope access publish`: a map becomes a version of a Lambda layer."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from keyscope.entry.settings import DEFAULT_MAX_STAGE_LENGTH, DEFAULT_ROUTE_SETS
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.maps.map_file import Routes, load_map, management_warning, text_of
from keyscope_cli.maps.map_layer import publish_layer
from keyscope_cli.options import TargetOptions, with_options
from keyscope_cli.stacks.artifacts import BUCKET_PARAMETER

MAX_LAYER_NAME = 40
"""Characters of a layer's name that the parameter AccessMapLayerArn allows."""


@with_options(TargetOptions)
def publish(
    options: TargetOptions,
    file: Annotated[Path, typer.Argument(metavar="MAP", help="The access map.")],
    routes: Routes = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The layer's name.  [default: the stack's name with -access-map]"
        ),
    ] = None,
) -> None:
    """Publish a map as a version of a Lambda layer.

    Shows the command that deploys it. Does not change the stack.
    """
    target = options.target()
    if target.session is not None or target.stack_name is None:
        advice = "Use --stack NAME. For the local stack, use `keyscope up --access-map map.toml`."
        raise Failure(ExitStatus.USAGE, "This command needs a deployed stack.", advice)
    longest_stage = int(
        target.authorizer_variables().get("KEYSCOPE_MAX_STAGE_LENGTH") or DEFAULT_MAX_STAGE_LENGTH
    )
    region: str = target.aws.client("lambda").meta.region_name
    loaded = load_map(file, routes, longest_stage, region)
    name = layer or f"{target.stack_name}-access-map"[-MAX_LAYER_NAME:]
    published = publish_layer(target.aws, name, text_of(file))
    parameters = {
        one["ParameterKey"]: one.get("ParameterValue")
        for one in target.described_stack().get("Parameters", [])
    }
    values = [f"AccessMapLayerArn={published.arn}", *_routes(parameters, routes)]
    deploy = deployment(target.stack_name, parameters, values)
    if options.as_json:
        options.output.json(
            {"layerVersionArn": published.arn, "isNew": published.is_new, "deploy": deploy}
        )
        return
    state = "Published" if published.is_new else "Already published"
    options.output.line(f"{state}: {published.arn}")
    options.output.line(f"To deploy it: {deploy}")
    if warning := management_warning(loaded.access_map):
        options.output.warn(warning)


def _routes(parameters: Mapping[str, str], routes: str | None) -> list[str]:
    """Return the parameter that selects the map's route sets, unless the stack has that value."""
    # The default means the only set of a map in a layer.
    wanted = routes or DEFAULT_ROUTE_SETS
    is_set = parameters.get("AccessMapRoutes", DEFAULT_ROUTE_SETS) == wanted
    return [] if is_set else [f"AccessMapRoutes={wanted}"]


def deployment(stack: str, parameters: Mapping[str, str], values: Sequence[str]) -> str:
    """Return the command that updates a stack's parameters, with the tool that deployed it.

    `parameters` are those that the stack has, `values` the new ones as `NAME=VALUE`.
    """
    # Only the template of `keyscope deploy` has the bucket as a parameter.
    if BUCKET_PARAMETER in parameters:
        given = " ".join(f"--parameter {shlex.quote(each)}" for each in values)
        return f"keyscope deploy --stack {stack} {given}"
    return f"sam deploy --stack-name {stack} --parameter-overrides {' '.join(values)}"
