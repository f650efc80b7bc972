"""How a CloudFormation template attaches an imported authorizer, whatever tool wrote it."""

from collections.abc import Iterator, Mapping
from typing import Final, cast

from keyscope_local.template.intrinsics import Json
from keyscope_local.template.stack import translate
from keyscope_local.template.yaml_reader import parse_yaml

REST: Final = "keyscope-RestAuthorizerArn"
HTTP: Final = "keyscope-HttpAuthorizerArn"
RESPONSES: Final = {
    "UNAUTHORIZED": "401",
    "ACCESS_DENIED": "403",
    "AUTHORIZER_FAILURE": "500",
    "AUTHORIZER_CONFIGURATION_ERROR": "500",
}
"""The gateway responses of a REST API that an authorizer causes, with their statuses."""

CORS_PARAMETER: Final = "gatewayresponse.header.Access-Control-Allow-Origin"


def sam_resources(text: str) -> Json:
    """Return the resources that SAM makes of a template, with or without its header."""
    source = {"Transform": "AWS::Serverless-2016-10-31", **parse_yaml(text)}
    return cast("Json", translate(source, {})["Resources"])


def of_type(resources: Json, *kinds: str) -> Iterator[Json]:
    """Yield the properties of the resources of some types."""
    for resource in cast("Mapping[str, Json]", resources).values():
        if resource["Type"] in kinds:
            yield cast("Json", resource["Properties"])


def permissions(resources: Json) -> dict[str, Json]:
    """Return the permissions to invoke imported functions, by the name of the export."""
    return {
        str(function["Fn::ImportValue"]): permission
        for permission in of_type(resources, "AWS::Lambda::Permission")
        if isinstance(function := permission["FunctionName"], dict)
        and "Fn::ImportValue" in function
    }


def is_for_authorizers_only(permission: Json) -> bool:
    """Tell whether API Gateway may invoke the function as an API's authorizer, and only so."""
    return (
        permission["Action"] == "lambda:InvokeFunction"
        and permission["Principal"] == "apigateway.amazonaws.com"
        and "/authorizers/" in str(permission["SourceArn"])
    )


def gateway_responses(resources: Json) -> dict[str, str]:
    """Return the statuses of a template's own gateway responses, by their types."""
    return {
        str(properties["ResponseType"]): str(properties["StatusCode"])
        for properties in of_type(resources, "AWS::ApiGateway::GatewayResponse")
    }


def responses_without_cors(resources: Json) -> list[str]:
    """Return the types of a template's own gateway responses that no page of another origin reads.

    `resources` are those of CloudFormation.
    """
    return [
        str(properties["ResponseType"])
        for properties in of_type(resources, "AWS::ApiGateway::GatewayResponse")
        if CORS_PARAMETER not in cast("Json", properties.get("ResponseParameters", {}))
    ]
