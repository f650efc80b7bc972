"""Settings -> the management function's handler."""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from keyscope.entry.lifecycle import provisioning
from keyscope.entry.settings import read_provisioning_settings
from keyscope.errors import Reason, Unavailable, type_and_place
from keyscope.management_api.api import management_api
from keyscope.management_api.error_responses import INTERNAL, Refusal, body_of
from keyscope.management_api.requests import Event, NotTaken, checked, member, path_of

FUNCTION = "management"

ProxyAnswer = dict[str, Any]
"""A Lambda proxy integration's answer (API Gateway developer guide)."""

ManagementHandler = Callable[[Event, LambdaContext], ProxyAnswer]


def management_handler(environment: Mapping[str, str]) -> ManagementHandler:
    """Make the handler of the management function from its environment.

    Raises:
        Misconfigured: when a setting is wrong; the function does not start.
    """
    settings = read_provisioning_settings(environment)
    operations = provisioning(settings, FUNCTION)
    logger = Logger(service=FUNCTION, level=settings.log_level, location=None)
    api = management_api(lambda: operations, lambda error: report(logger, error))
    return handler_of(api, logger)


def handler_of(api: APIGatewayRestResolver, logger: Logger) -> ManagementHandler:
    """Make a handler of an API: one log line a request, which never holds a body or an answer."""

    def handler(event: Event, context: LambdaContext) -> ProxyAnswer:
        logger.append_keys(**_names_of(event), invocation_id=context.aws_request_id)
        try:
            answer = api.resolve(checked(event), context)
        except NotTaken as not_taken:
            answer = _refused(not_taken.refused, str(path_of(event)))
        except Exception as error:  # noqa: BLE001 - beside the routes, a bug is answered as in them
            report(logger, error)
            answer = _refused(INTERNAL, str(path_of(event)))
        # Some answers hold a secret.
        answer["multiValueHeaders"]["Cache-Control"] = ["no-store"]
        logger.info("answered", extra={"status": answer["statusCode"]})
        return answer

    return handler


def _refused(refused: Refusal, path: str) -> ProxyAnswer:
    return {
        "statusCode": refused.status.value,
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "body": body_of(refused, path),
        "isBase64Encoded": False,
    }


def _names_of(event: Event) -> dict[str, object]:
    """Return what names the request and its caller in the log."""
    context = member(event, "requestContext")
    authorizer = member(context, "authorizer")
    return {
        "request_id": context.get("requestId"),
        "key_id": authorizer.get("keyId"),
        "method": event.get("httpMethod"),
        "path": event.get("path"),
    }


def report(logger: Logger, error: Exception) -> None:
    """Tell why a request is answered with 500; the text of an unexpected error stays untold."""
    if isinstance(error, Unavailable):
        members: dict[str, object] = {"reason": error.reason, "detail": error.detail}
    else:
        members = {"reason": Reason.INTERNAL_ERROR, "detail": type_and_place(error)}
    logger.error("failed", extra=members)
