"""A small stack behind the local gateway, with functions that tests drive by hand."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

from keyscope_local.gateway.api_definition import Api
from keyscope_local.gateway.api_reader import read_apis
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.request import GatewayAnswer, GatewayRequest
from keyscope_local.template.function_loader import LocalContext, LocalFunction
from keyscope_local.template.stack import Stack, load_stack
from tests.support.stores import SteppedClock

NOW: Final = 1_800_000_000
AUTHORIZATION: Final = ("authorization", "Basic one")

TEMPLATE: Final = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: app.handler}}
Resources:
  Guard: {Type: "AWS::Serverless::Function", Properties: {CodeUri: guard}}
  Backend:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: backend
      Events:
        Rest: {Type: Api, Properties: {RestApiId: !Ref Rest, Path: "/{proxy+}", Method: ANY}}
        Http: {Type: HttpApi, Properties: {ApiId: !Ref Http, Path: "/{proxy+}", Method: ANY}}
  Rest:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Cors: "'*'"
      Auth:
        DefaultAuthorizer: Guard
        AddDefaultAuthorizerToCorsPreflight: false
        Authorizers: {Guard: REST_AUTHORIZER}
      GatewayResponses:
        UNAUTHORIZED:
          ResponseParameters: {Headers: {WWW-Authenticate: "'Basic'"}}
          ResponseTemplates:
            application/json: '{"code":"$context.error.responseType","id":"$context.requestId"}'
        DEFAULT_5XX:
          ResponseTemplates: {application/json: '{"message":$context.error.messageString}'}
  Http:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: {AllowOrigins: ["https://a.example"], AllowMethods: [GET], MaxAge: 5}
      Auth:
        DefaultAuthorizer: Guard
        Authorizers: {Guard: HTTP_AUTHORIZER}
"""
REQUEST_AUTHORIZER: Final = (
    "{FunctionArn: !GetAtt Guard.Arn, FunctionPayloadType: REQUEST,"
    " Identity: {Headers: [Authorization], ReauthorizeEvery: 60}}"
)
HTTP_AUTHORIZER: Final = (
    "{FunctionArn: !GetAtt Guard.Arn, EnableFunctionDefaultPermissions: true,"
    ' AuthorizerPayloadFormatVersion: "2.0",'
    " Identity: {Headers: [Authorization], ReauthorizeEvery: 60}}"
)


@cache
def small_stack(
    rest_authorizer: str = REQUEST_AUTHORIZER,
    http_authorizer: str = HTTP_AUTHORIZER,
    template: str = TEMPLATE,
) -> Stack:
    """Load the small template, once a process for each choice. Tests share it, so they only read.

    Its functions have no code.
    """
    text = template.replace("REST_AUTHORIZER", rest_authorizer).replace(
        "HTTP_AUTHORIZER", http_authorizer
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.yaml"
        path.write_text(text, "utf-8")
        return load_stack(path)


def policy(
    *resources: str, effect: str = "Allow", condition: Mapping[str, object] | None = None
) -> dict[str, object]:
    statement: dict[str, object] = {
        "Effect": effect,
        "Action": "execute-api:Invoke",
        "Resource": list(resources),
    }
    if condition is not None:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def answer(
    document: object = None, context: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return an authorizer's answer; without a policy, one that allows everything."""
    return {
        "principalId": "app/1",
        "policyDocument": document or policy("arn:aws:execute-api:*"),
        "context": {"scope": "app"} if context is None else context,
    }


def raising(message: str) -> Callable[[object], object]:
    def respond(_: object) -> object:
        raise RuntimeError(message)

    return respond


@dataclass
class StubFunction:
    """A function that notes its events and does what it is told."""

    respond: Callable[[object], object]
    events: list[dict[str, object]] = field(default_factory=list)

    def loaded(self, name: str) -> LocalFunction:
        def handler(event: object, _: LocalContext) -> object:
            self.events.append(cast("dict[str, object]", event))
            return self.respond(event)

        return LocalFunction(name, f"arn:aws:lambda:::function:{name}", 128, handler)


def echo(event: object) -> object:
    members = cast("Mapping[str, Mapping[str, object]]", event)
    context = members["requestContext"].get("authorizer")
    return {"statusCode": 200, "headers": {"x-from": "backend"}, "body": json.dumps(context)}


@dataclass
class Served:
    """A gateway with its guard, its backend and its clock."""

    gateway: Gateway
    guard: StubFunction
    backend: StubFunction
    clock: SteppedClock

    def get(
        self,
        path: str = "/v2/apps",
        *headers: tuple[str, str],
        method: str = "GET",
        source_address: str = "192.0.2.1",
        query: str = "",
    ) -> GatewayAnswer:
        request = GatewayRequest(
            method,
            path,
            headers=headers or (AUTHORIZATION,),
            source_address=source_address,
            query=query,
        )
        return self.gateway.answer(request)

    def status(self, path: str = "/v2/apps", *headers: tuple[str, str], **options: str) -> int:
        return self.get(path, *headers, **options).status


def api_of(stack: Stack, logical_id: str) -> Api:
    (found,) = [api for api in read_apis(stack) if api.logical_id == logical_id]
    return found


def served(stack: Stack, api: str = "Rest") -> Served:
    guard, backend = StubFunction(lambda _: answer()), StubFunction(echo)
    clock = SteppedClock(NOW)
    functions = {"Guard": guard.loaded("Guard"), "Backend": backend.loaded("Backend")}
    return Served(Gateway(api_of(stack, api), functions, clock), guard, backend, clock)


def arn_of(gateway: Gateway, request: str) -> str:
    """Return the method ARN of a request such as `GET/v2/apps`."""
    api = gateway.api
    return f"arn:aws:execute-api:us-east-1:123456789012:{api.api_id}/{api.stage}/{request}"
