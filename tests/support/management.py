"""Requests to the management function, as a REST API's proxy integration makes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from aws_lambda_powertools import Logger

from keyscope.entry.management import ManagementHandler, handler_of, report
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.management_api.api import management_api
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope

ORIGIN: Final = "https://app.example.com"
"""Whose pages can read refusals."""
V2: Final = "/v2/apps"
V1_1: Final = "/v1.1/apps"
SERVICE_ACCOUNTS: Final = "/v1.1/serviceaccounts"
INTERNAL_ERROR: Final = {
    "errors": [{"code": "internal_error", "title": "An internal error occurred. Try again later"}]
}
HOST = "api.example"
STAGE = "prod"


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    aws_request_id: str = "invocation-1"


@dataclass(frozen=True)
class ProxyResponse:
    """What the function answered."""

    status: int
    headers: Mapping[str, list[str]]
    text: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.text)

    @property
    def codes(self) -> list[str]:
        """The codes of the errors, in v2's shape."""
        return [error["code"] for error in self.json["errors"]]

    @property
    def titles(self) -> list[str]:
        return [error["title"] for error in self.json["errors"]]


def proxy_event(
    method: str,
    path: str,
    context: object,
    body: str | None = None,
    query: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Return an event; `context` is what the authorizer has told, `None` for no authorizer."""
    headers = {"Host": HOST, "X-Forwarded-Proto": "https"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    request_context: dict[str, object] = {
        "stage": STAGE,
        "path": f"/{STAGE}{path}",
        "domainName": HOST,
        "requestId": "request-1",
        "identity": {"sourceIp": "192.0.2.7"},
    }
    if context is not None:
        request_context["authorizer"] = context
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": (
            {name: [value] for name, value in query.items()} if query else None
        ),
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": request_context,
        "body": body,
        "isBase64Encoded": False,
    }


@dataclass(frozen=True)
class Caller:
    """A principal that calls the function; `told` replaces what the authorizer tells of it."""

    handler: ManagementHandler = field(repr=False)
    principal: Principal

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        **members: object,
    ) -> ProxyResponse:
        """Call; `body` is sent as JSON unless it is text, `members` replace those of the event."""
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        context = {"principalId": self.principal.name, **self.principal.context()}
        event = {**proxy_event(method, path, context, text, query), **members}
        return answer_of(self.handler, event)


def answer_of(handler: ManagementHandler, event: Mapping[str, object]) -> ProxyResponse:
    answer = handler(event, cast("Any", Context()))
    assert answer["isBase64Encoded"] is False
    return ProxyResponse(answer["statusCode"], answer["multiValueHeaders"], answer["body"])


def app_of(caller: Caller, **members: object) -> str:
    return str(caller.call("POST", V2, {"displayName": "Shop", **members}).json["app"]["id"])


def key_of(caller: Caller, app_id: str) -> dict[str, Any]:
    created = caller.call("POST", f"{V2}/{app_id}/keys", {"displayName": "Server"})
    key: dict[str, Any] = created.json["key"]
    return key


def service_account_of(caller: Caller) -> tuple[str, Caller]:
    """Create a service account, and become it."""
    created = caller.call("POST", SERVICE_ACCOUNTS, {"name": "robot"})
    owner_id = str(created.json["serviceAccount"]["_id"])
    key = caller.call("POST", f"{SERVICE_ACCOUNTS}/{owner_id}/keys", {"name": "own"}).json["key"]
    robot = Principal(
        Scope.ACCOUNT,
        str(key["_id"]),
        OwnerType.SERVICE_ACCOUNT,
        owner_id,
    )
    return owner_id, replace(caller, principal=robot)


def as_app(caller: Caller, app_id: str, user_id: str | None = None) -> Caller:
    """Create a key of an app, and become it."""
    principal = Principal(
        Scope.APP if user_id is None else Scope.APP_USER,
        key_of(caller, app_id)["id"],
        OwnerType.APP,
        app_id,
        user_id,
    )
    return replace(caller, principal=principal)


def handler_over(provisioning: Provisioning) -> ManagementHandler:
    """Serve a directory, with refusals that pages of `ORIGIN` can read."""
    logger = Logger(service="management", location=None)
    api = management_api(lambda: provisioning, lambda error: report(logger, error))
    return handler_of(api, logger, ORIGIN)


def new_caller(handler: ManagementHandler, provisioning: Provisioning) -> Caller:
    """Create an account, and become it."""
    account, created = provisioning.create_account("Acme", KeyRequest())
    key_id = created.key.key_id
    return Caller(handler, Principal(Scope.ACCOUNT, key_id, OwnerType.ACCOUNT, account.owner_id))
