"""From settings to the management function's handler."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from keyscope.entry.lifecycle import provisioning
from keyscope.entry.settings import read_provisioning_settings
from keyscope.errors import Reason, Unavailable, type_and_place
from keyscope.management_api.api import management_api
from keyscope.management_api.error_responses import INTERNAL, ErrorResponse, body_of
from keyscope.management_api.requests import Event, NotTaken, checked, member, path_of

FUNCTION = "management"
CORS_ALLOW_ORIGIN: Final = "KEYSCOPE_CORS_ALLOW_ORIGIN"
"""The variable with the origin whose pages may read refusals, or `*`; without it there is none."""
_REFUSALS: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

ProxyAnswer = dict[str, Any]
"""The output of a Lambda proxy integration (API Gateway developer guide)."""

ManagementHandler = Callable[[Event, LambdaContext], ProxyAnswer]


def management_handler(environment: Mapping[str, str]) -> ManagementHandler:
    """Build the handler of the management function from its environment.

    Raises:
        Misconfigured: a setting is wrong; the function does not start.
    """
    settings = read_provisioning_settings(environment)
    operations = provisioning(settings, FUNCTION)
    logger = Logger(service=FUNCTION, level=settings.log_level, location=None)
    api = management_api(lambda: operations, lambda error: report(logger, error))
    return handler_of(api, logger, environment.get(CORS_ALLOW_ORIGIN))


def handler_of(
    api: APIGatewayRestResolver, logger: Logger, readable_from: str | None = None
) -> ManagementHandler:
    """Build the handler of an API. It logs one line per request, without bodies.

    Pages of the origin `readable_from` can read only error responses, as with API Gateway's own.
    Keys that manage others do not belong in a page.
    """

    def handler(event: Event, context: LambdaContext) -> ProxyAnswer:
        logger.append_keys(**_names_of(event), invocation_id=context.aws_request_id)
        try:
            answer = api.resolve(checked(event), context)
        except NotTaken as not_taken:
            answer = _error_answer(not_taken.response, str(path_of(event)))
        except Exception as error:  # noqa: BLE001 - a bug outside the routes has the same response
            report(logger, error)
            answer = _error_answer(INTERNAL, str(path_of(event)))
        # Some responses contain a secret.
        answer["multiValueHeaders"]["Cache-Control"] = ["no-store"]
        if readable_from and answer["statusCode"] in _REFUSALS:
            answer["multiValueHeaders"]["Access-Control-Allow-Origin"] = [readable_from]
        logger.info("answered", extra={"status": answer["statusCode"]})
        return answer

    return handler


def _error_answer(response: ErrorResponse, path: str) -> ProxyAnswer:
    return {
        "statusCode": response.status.value,
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "body": body_of(response, path),
        "isBase64Encoded": False,
    }


def _names_of(event: Event) -> dict[str, object]:
    """Return what identifies the request and its caller in the log."""
    context = member(event, "requestContext")
    authorizer = member(context, "authorizer")
    return {
        "request_id": context.get("requestId"),
        "key_id": authorizer.get("keyId"),
        "method": event.get("httpMethod"),
        "path": event.get("path"),
    }


def report(logger: Logger, error: Exception) -> None:
    """Log why a request gets a 500, without the text of an unexpected error."""
    if isinstance(error, Unavailable):
        members: dict[str, object] = {"reason": error.reason, "detail": error.detail}
    else:
        members = {"reason": Reason.INTERNAL_ERROR, "detail": type_and_place(error)}
    logger.error("failed", extra=members)
