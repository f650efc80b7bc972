"""The settings of a deployed authorizer, with the access map that it loads."""

from collections.abc import Mapping
from tempfile import NamedTemporaryFile
from typing import Any

from keyscope.entry.settings import AuthorizerSettings, read_authorizer_settings
from keyscope_cli.aws import Aws
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.maps.map_layer import MAP_IN_FUNCTIONS, read_layer

ACCESS_MAP = "KEYSCOPE_ACCESS_MAP"


def variables_of(function: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the environment variables of a function, from its configuration."""
    variables: Mapping[str, str] = function.get("Environment", {}).get("Variables", {})
    return variables


def map_layer_of(function: Mapping[str, Any]) -> str | None:
    """Return the ARN of the layer that a function reads its access map from, if it is in one.

    It is the first of the function's layers, so that Keyscope's own layers overwrite its files.
    """
    if variables_of(function).get(ACCESS_MAP) != MAP_IN_FUNCTIONS:
        return None
    layers = function.get("Layers", [])
    if not layers:
        message = "The authorizer has no layer with an access map."
        raise Failure(ExitStatus.NOT_DONE, message, "Deploy again with AccessMapLayerArn.")
    arn: str = layers[0]["Arn"]
    return arn


def settings_of(aws: Aws, function: Mapping[str, Any]) -> AuthorizerSettings:
    """Return the settings that a function starts with, from its configuration.

    Raises:
        Misconfigured: it does not start with them, or this package lacks the access map.
        Failure: its access map is in a layer that cannot be read, or contains more than a map.
    """
    variables = variables_of(function)
    layer = map_layer_of(function)
    if layer is None:
        return read_authorizer_settings(variables)
    with NamedTemporaryFile("w", encoding="utf-8", suffix=".toml") as file:
        file.write(read_layer(aws.client("lambda"), layer))
        file.flush()
        return read_authorizer_settings({**variables, ACCESS_MAP: file.name})
