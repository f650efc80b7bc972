"""The management API as a whole: its routes and its error responses."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.models import PathItem

from keyscope.access.rules import AccessMap
from keyscope.authorize.pipeline import Authorizer
from keyscope.errors import KeyscopeError
from keyscope.lifecycle.operations import Provisioning
from keyscope.management_api import v1_1, v2
from keyscope.management_api.error_responses import (
    CONTENDED,
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NO_ROUTE,
    RETRY_AFTER_SECONDS,
    ErrorResponse,
    body_of,
    error_response_of,
    faults_of_schema,
)
from keyscope.management_api.explanations import add_explanations
from keyscope.management_api.keys import add_keys
from keyscope.management_api.own_key import add_own_key
from keyscope.management_api.permissions import add_permissions
from keyscope.management_api.request_context import RequestContext
from keyscope.management_api.requests import read_json

_METHODS = ("get", "post", "put", "patch", "delete")

Report = Callable[[Exception], None]


def management_api(
    provisioning: Callable[[], Provisioning], report: Report
) -> APIGatewayRestResolver:
    """Build the routes of the management API on top of the operations.

    `report` receives each error that leads to a 500 or 503.
    """
    api = _resolver()
    context = RequestContext(api, provisioning)
    v2.add_apps(api, context)
    add_keys(api, context, v2.APP_KEYS)
    add_keys(api, context, v2.INTEGRATION_KEYS)
    add_own_key(api, context)
    v1_1.add_apps(api, context)
    add_keys(api, context, v1_1.APP_KEYS)
    v1_1.add_service_accounts(api, context)
    add_keys(api, context, v1_1.SERVICE_ACCOUNT_KEYS)
    _answer_errors(api, report)
    return api


def explanation_api(
    authorizer: Callable[[], Authorizer], access_map: Callable[[], AccessMap], report: Report
) -> APIGatewayRestResolver:
    """Build the routes that explain requests and permissions.

    They belong to a function that has the access map and may decrypt secrets.

    `report` receives each error that leads to a 500 or 503.
    """
    api = _resolver()
    add_explanations(api, authorizer)
    add_permissions(api, access_map)
    _answer_errors(api, report)
    return api


def _resolver() -> APIGatewayRestResolver:
    # The environment could turn on Powertools' debug mode, which prints events with their secrets.
    return APIGatewayRestResolver(
        enable_validation=True, json_body_deserializer=read_json, debug=False
    )


def _answer_errors(api: APIGatewayRestResolver, report: Report) -> None:
    schema = cache(api.get_openapi_schema)

    def answer(error: ErrorResponse) -> Response[str]:
        body = body_of(error, api.current_event.path)
        return Response(error.status.value, content_types.APPLICATION_JSON, body)

    def invalid(error: RequestValidationError) -> Response[str]:
        if any(fault["loc"][0] == "response" for fault in error.errors()):
            return failed(error)
        return answer(ErrorResponse(HTTPStatus.BAD_REQUEST, faults_of_schema(error.errors())))

    def known(error: KeyscopeError) -> Response[str]:
        found = error_response_of(error, api.current_event.path)
        if found in (INTERNAL, CONTENDED):
            report(error)
        response = answer(found)
        if found is CONTENDED:
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response

    def failed(error: Exception) -> Response[str]:
        report(error)
        return answer(INTERNAL)

    def no_route(_: NotFoundError) -> Response[str]:
        methods = _methods_of(schema().paths or {}, api.current_event.path)
        # Powertools finds no route if an id contains a character that it does not accept.
        if not methods or api.current_event.http_method.upper() in methods:
            return answer(NO_ROUTE)
        response = answer(METHOD_NOT_ALLOWED)
        response.headers["Allow"] = ", ".join(methods)
        return response

    api.exception_handler(RequestValidationError)(invalid)
    api.exception_handler(KeyscopeError)(known)
    api.exception_handler(Exception)(failed)
    api.not_found(no_route)


def _methods_of(paths: Mapping[str, PathItem], path: str) -> list[str]:
    """Return the methods of a path; an unknown path has none."""
    for template, item in paths.items():
        # Powertools also ignores slashes at the end.
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)) + "/*"
        if re.fullmatch(pattern, path):
            return [method.upper() for method in _METHODS if getattr(item, method) is not None]
    return []
