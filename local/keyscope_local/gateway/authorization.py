"""How API Gateway authorizes a request: identity sources, cache, authorizer, policy.

The rules are in "Configure a Lambda authorizer" and "Output from an API Gateway Lambda authorizer"
in the Amazon API Gateway developer guide.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn, TypeAlias, assert_never

from keyscope.access.policy_evaluation import AccessRequest, UnsupportedPolicy, Verdict, evaluate
from keyscope_local.gateway.api_definition import (
    Api,
    ApiKind,
    Authorizer,
    AuthorizerKind,
    IdentityPlace,
    IdentitySource,
)
from keyscope_local.gateway.events import method_arn, request_event, token_event
from keyscope_local.gateway.platform_behavior import without_conditions
from keyscope_local.gateway.request import CacheUse, GatewayRequest, MatchedRoute
from keyscope_local.gateway.responses import NotAnswered, ResponseType
from keyscope_local.gateway.result_cache import ResultCache
from keyscope_local.template.function_failure import FunctionFailed
from keyscope_local.template.function_loader import LocalFunction

ACTION = "execute-api:Invoke"
UNAUTHORIZED_MESSAGE = "Unauthorized"


@dataclass(frozen=True, slots=True)
class AuthorizerResult:
    """An authorizer's answer: a policy for every path, so that it can be cached.

    `usage_identifier_key` is the value of the API Gateway key whose usage plan counts the request.
    """

    principal_id: str
    policy: object
    context: Mapping[str, str]
    usage_identifier_key: str | None = field(default=None, repr=False)


CachedResult: TypeAlias = AuthorizerResult | NotAnswered
"""What the cache stores: results, and errors if the platform is set to cache them."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """A request with a policy: the context for the backend, and the use of the cache."""

    result: AuthorizerResult
    cache: CacheUse
    latency_ms: int


class Denied(NotAnswered):
    """The policy does not allow the request; `authorized` says whose policy it is."""

    def __init__(
        self, verdict: Verdict, authorized: Authorized, context: Mapping[str, str]
    ) -> None:
        """Store the response for the caller, and who was denied."""
        super().__init__(ResponseType.ACCESS_DENIED, verdict, authorized.cache, context)
        self.authorized = authorized


@dataclass(frozen=True, slots=True)
class Authorization:
    """The authorizers of one API. `clock` returns seconds since the epoch."""

    api: Api
    functions: Mapping[str, LocalFunction]
    cache: ResultCache[CachedResult]
    clock: Callable[[], float] = time.time

    def authorize(self, name: str, request: GatewayRequest, route: MatchedRoute) -> Authorized:
        """Return the named authorizer's decision on a request, or the cached one.

        Raises:
            NotAnswered: the request may not pass, or the authorizer failed.
        """
        authorizer = self.api.authorizers[name]
        identity = _identity(authorizer, request, self.api)
        key = (name, *identity)
        started = self.clock()
        known = self.cache.get(key)
        result = known or self._asked(authorizer, request, route, key)
        if isinstance(result, NotAnswered):
            raise result
        cache = _use_of_cache(authorizer, hit=known is not None)
        verdict = self._verdict(result, request, route, cache)
        if known is None and self._is_kept(verdict):
            self.cache.put(key, result, authorizer.ttl_seconds)
        if known is not None and not self.api.platform.keeps_quotes_in_cached_context:
            result = replace(result, context=_without_quotes(result.context))
        authorized = Authorized(result, cache, int((self.clock() - started) * 1_000))
        if verdict is not Verdict.ALLOWED:
            context = result.context if self.api.platform.shows_denied_context else {}
            raise Denied(verdict, authorized, context)
        return authorized

    def _asked(
        self,
        authorizer: Authorizer,
        request: GatewayRequest,
        route: MatchedRoute,
        key: tuple[str, ...],
    ) -> AuthorizerResult:
        try:
            return self._invoke(authorizer, request, route, key[1:])
        except NotAnswered as error:
            if self.api.platform.caches_errors:
                self.cache.put(key, error, authorizer.ttl_seconds)
            raise

    def _is_kept(self, verdict: Verdict) -> bool:
        platform = self.api.platform
        return platform.caches_allows if verdict is Verdict.ALLOWED else platform.caches_denials

    def _invoke(
        self,
        authorizer: Authorizer,
        request: GatewayRequest,
        route: MatchedRoute,
        identity: Sequence[str],
    ) -> AuthorizerResult:
        event = (
            token_event(self.api, request, route, identity[0])
            if authorizer.kind is AuthorizerKind.TOKEN
            else request_event(self.api, request, route, identity)
        )
        cache = _use_of_cache(authorizer, hit=False)
        if authorizer.not_invocable is not None:
            _misconfigured(authorizer.not_invocable, cache)
        try:
            answer = self.functions[authorizer.function].invoke(event)
        except FunctionFailed as failed:
            is_refusal = failed.error_message == UNAUTHORIZED_MESSAGE
            if is_refusal and self.api.platform.answers_unauthorized:
                reason = "the authorizer returned Unauthorized"
                raise NotAnswered(ResponseType.UNAUTHORIZED, reason, cache) from None
            reason = f"the authorizer raised {failed.error_type}"
            raise NotAnswered(ResponseType.AUTHORIZER_FAILURE, reason, cache) from failed
        result = read_result(answer, cache)
        self._check_policy(result.policy, cache)
        return result

    def _check_policy(self, policy: object, cache: CacheUse) -> None:
        platform = self.api.platform
        if 0 < platform.max_policy_bytes < len(json.dumps(policy).encode()):
            _misconfigured("the policy has too many bytes", cache)
        statements = policy.get("Statement", []) if isinstance(policy, dict) else []
        if 0 < platform.max_policy_statements < len(statements):
            _misconfigured("the policy has too many statements", cache)
        if not platform.takes_any_resource and re.search(r"\\", json.dumps(statements)):
            _misconfigured("a resource names no API or contains a backslash", cache)

    def _verdict(
        self,
        result: AuthorizerResult,
        request: GatewayRequest,
        route: MatchedRoute,
        cache: CacheUse,
    ) -> Verdict:
        asked = AccessRequest(
            action=ACTION,
            resource=method_arn(self.api, request, route),
            now=self.clock(),
            source_address=request.source_address,
            secure_transport=True,
        )
        try:
            return evaluate(without_conditions(result.policy, self.api.platform), asked)
        except UnsupportedPolicy as unsupported:
            _misconfigured(str(unsupported), cache)


def read_result(answer: object, cache: CacheUse = CacheUse.NONE) -> AuthorizerResult:
    """Read an authorizer's answer.

    Raises:
        NotAnswered: `AUTHORIZER_CONFIGURATION_ERROR`, when API Gateway would not accept it.
    """
    members = answer if isinstance(answer, dict) else {}
    principal_id = members.get("principalId")
    context = members.get("context", {})
    if not isinstance(principal_id, str) or "policyDocument" not in members:
        _misconfigured("the response lacks principalId or policyDocument", cache)
    if not isinstance(context, dict) or not all(
        isinstance(value, str | int | float | bool) for value in context.values()
    ):
        _misconfigured(
            "the context contains values other than strings, numbers and booleans", cache
        )
    texts = {name: _context_text(value) for name, value in context.items()}
    usage_identifier_key = members.get("usageIdentifierKey")
    if not isinstance(usage_identifier_key, str | None):
        _misconfigured("usageIdentifierKey is not a string", cache)
    return AuthorizerResult(principal_id, members["policyDocument"], texts, usage_identifier_key)


def _identity(authorizer: Authorizer, request: GatewayRequest, api: Api) -> tuple[str, ...]:
    """Return the values of the identity sources.

    If one is missing or empty, the response is 401 and the function is not called. The only
    exception is a REST API's `REQUEST` authorizer without caching.
    """
    values = tuple(",".join(_values_of(source, request)) for source in authorizer.identity_sources)
    is_optional = api.platform.asks_without_identity or (
        api.kind is ApiKind.REST
        and authorizer.kind is AuthorizerKind.REQUEST
        and not authorizer.ttl_seconds
    )
    if not is_optional and not all(values):
        reason = "an identity source is missing"
        raise NotAnswered(ResponseType.UNAUTHORIZED, reason)
    expression = authorizer.validation_expression
    if expression is not None and not re.fullmatch(expression, values[0]):
        reason = "the token does not match the validation expression"
        raise NotAnswered(ResponseType.UNAUTHORIZED, reason)
    return values


def _values_of(source: IdentitySource, request: GatewayRequest) -> Sequence[str]:
    match source.place:
        case IdentityPlace.HEADER:
            return request.header_values(source.name)
        case IdentityPlace.QUERY:
            return request.multi_value_query().get(source.name, [])
        case IdentityPlace.SOURCE_ADDRESS:
            return [request.source_address]
        case _:
            assert_never(source.place)


def _use_of_cache(authorizer: Authorizer, *, hit: bool) -> CacheUse:
    if not authorizer.ttl_seconds:
        return CacheUse.NONE
    return CacheUse.HIT if hit else CacheUse.MISS


def _misconfigured(reason: str, cache: CacheUse) -> NoReturn:
    raise NotAnswered(ResponseType.AUTHORIZER_CONFIGURATION_ERROR, reason, cache)


def _without_quotes(context: Mapping[str, str]) -> dict[str, str]:
    return {name: value.replace('"', "") for name, value in context.items()}


def _context_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
