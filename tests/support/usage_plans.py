"""A REST API with two usage plans, behind the authorizer itself and the local gateway."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.authorize.answer import answer
from keyscope.authorize.event import read_rest_event
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.request import GatewayAnswer, GatewayRequest
from tests.support.builders import NOW, MadeKey
from tests.support.local_gateway import StubFunction, api_of, echo, small_stack
from tests.support.stores import MemoryKeyStore, MemorySecretOpener, SteppedClock

GOLD: Final = "gold" * 5
TIN: Final = "tin0" * 5
GOLD_BURST: Final = 4
TIN_BURST: Final = 2
METERED: Final = "/v2/apps"
FREE: Final = "/v2/apps/{appId}"
POLICIES: Final = prepare_policies(
    read_access_map((files("keyscope.access") / "scopes.toml").read_text("utf-8"), ["v2"]), 16
)
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
        Metered:
          Type: Api
          Properties:
            {RestApiId: !Ref Rest, Path: /v2/apps, Method: GET, Auth: {ApiKeyRequired: true}}
        Free: {Type: Api, Properties: {RestApiId: !Ref Rest, Path: "/v2/apps/{appId}", Method: GET}}
  Rest:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      ApiKeySourceType: AUTHORIZER
      Auth:
        DefaultAuthorizer: Guard
        Authorizers:
          Guard:
            FunctionArn: !GetAtt Guard.Arn
            FunctionPayloadType: REQUEST
            Identity: {Headers: [Authorization], ReauthorizeEvery: 300}
  Gold: {Type: "AWS::ApiGateway::ApiKey", Properties: {Enabled: true, Value: goldgoldgoldgoldgold}}
  Tin: {Type: "AWS::ApiGateway::ApiKey", Properties: {Enabled: true, Value: tin0tin0tin0tin0tin0}}
  GoldPlan:
    Type: AWS::ApiGateway::UsagePlan
    Properties:
      ApiStages: [{ApiId: !Ref Rest, Stage: !Ref Rest.Stage}]
      Throttle: {RateLimit: 10, BurstLimit: 4}
  TinPlan:
    Type: AWS::ApiGateway::UsagePlan
    Properties:
      ApiStages: [{ApiId: !Ref Rest, Stage: !Ref Rest.Stage}]
      Throttle: {RateLimit: 0.5, BurstLimit: 2}
      Quota: {Limit: 5, Period: DAY}
  GoldInPlan:
    Type: AWS::ApiGateway::UsagePlanKey
    Properties: {KeyId: !Ref Gold, KeyType: API_KEY, UsagePlanId: !Ref GoldPlan}
  TinInPlan:
    Type: AWS::ApiGateway::UsagePlanKey
    Properties: {KeyId: !Ref Tin, KeyType: API_KEY, UsagePlanId: !Ref TinPlan}
"""


@dataclass
class MeteredApi:
    """The API, its guard's invocations, its keys' records and its clock."""

    gateway: Gateway
    guard: StubFunction
    backend: StubFunction
    store: MemoryKeyStore
    clock: SteppedClock

    def get(self, key: MadeKey, path: str = METERED) -> GatewayAnswer:
        return self.gateway.answer(
            GatewayRequest("GET", path, headers=[("authorization", key.basic())])
        )

    def statuses(self, key: MadeKey, number: int, path: str = METERED) -> list[int]:
        return [self.get(key, path).status for _ in range(number)]


def authorizer_over(store: MemoryKeyStore, clock: SteppedClock) -> Authorizer:
    return Authorizer(
        keys=KeyCache(store, clock, fresh_seconds=30, stale_seconds=900, max_entries=10),
        secrets=MemorySecretOpener(),
        policies=POLICIES,
        clock=clock,
        timer=clock,
    )


def metered_api(*keys: MadeKey) -> MeteredApi:
    clock = SteppedClock(NOW)
    store = MemoryKeyStore({key.key_id: key.record for key in keys})
    authorizer = authorizer_over(store, clock)
    guard = StubFunction(lambda event: answer(authorize(event, read_rest_event, authorizer)))
    backend = StubFunction(echo)
    functions = {"Guard": guard.loaded("Guard"), "Backend": backend.loaded("Backend")}
    api = api_of(small_stack(template=TEMPLATE), "Rest")
    return MeteredApi(Gateway(api, functions, clock), guard, backend, store, clock)
