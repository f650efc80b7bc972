"""The local API Gateway: routes, authorizes, calls the route's function, and answers."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from keyscope_local.gateway.access_log import Passage, access_line
from keyscope_local.gateway.api_definition import Api, ApiKind, MockIntegration
from keyscope_local.gateway.authorization import Authorization, Authorized, CachedResult, Denied
from keyscope_local.gateway.cors import preflight_answer, with_cors
from keyscope_local.gateway.events import proxy_event
from keyscope_local.gateway.platform_behavior import decoded
from keyscope_local.gateway.proxy_answer import read_proxy_answer
from keyscope_local.gateway.request import CacheUse, GatewayAnswer, GatewayRequest, MatchedRoute
from keyscope_local.gateway.responses import NotAnswered, ResponseType, error_answer
from keyscope_local.gateway.result_cache import ResultCache
from keyscope_local.gateway.route_table import find_route
from keyscope_local.gateway.usage_plans import UsageMeter
from keyscope_local.template.function_failure import FunctionFailed
from keyscope_local.template.function_loader import LocalFunction

_METHOD_OVERRIDE: Final = "x-http-method-override"
_log = logging.getLogger("keyscope.local.gateway")
_access_log = logging.getLogger("keyscope.local.access")


@dataclass(frozen=True, slots=True)
class Gateway:
    """One API of the stack, served by its real functions.

    `clock` returns seconds since the epoch, for the cache and the policies' conditions.
    """

    api: Api
    functions: Mapping[str, LocalFunction]
    clock: Callable[[], float] = time.time
    cache: ResultCache[CachedResult] = field(init=False)
    usage: UsageMeter = field(init=False)

    def __post_init__(self) -> None:
        """Create the API's own result cache and usage meter."""
        object.__setattr__(self, "cache", ResultCache(self.clock))
        object.__setattr__(self, "usage", UsageMeter(self.api.usage_plans, self.clock))

    def answer(self, request: GatewayRequest) -> GatewayAnswer:
        """Answer a request as API Gateway would."""
        passage = Passage(self.clock())
        if self.api.platform.decodes_path:
            request = replace(
                request, path=decoded(request.path, self.api.platform), sent_path=request.path
            )
        answer = preflight_answer(self.api, request)
        if answer is None:
            override = request.header_values(_METHOD_OVERRIDE)
            if override and self.api.platform.honours_method_override:
                request = replace(request, method=override[-1])
            answer = self._answer(request, passage)
        if self.api.access_log_format:
            passage.ended = self.clock()
            _access_log.info("%s", access_line(self.api, request, passage, answer))
        return answer

    def _answer(self, request: GatewayRequest, passage: Passage) -> GatewayAnswer:
        try:
            answer = self._pass_through(request, passage)
        except NotAnswered as error:
            passage.error = error
            if isinstance(error, Denied):
                passage.authorized = error.authorized
            level = logging.WARNING if error.__cause__ else logging.INFO
            message = f"{request.request_id} {request.method} {request.path}: {error}"
            _log.log(level, message, exc_info=error.__cause__)
            answer = error_answer(self.api, request, error)
            if not self.api.platform.cors_on_refusals:
                return answer
        return with_cors(self.api, request, answer)

    def _pass_through(self, request: GatewayRequest, passage: Passage) -> GatewayAnswer:
        found = find_route(self.api.routes, self.api.kind, request.method, request.path)
        if found is None:
            raise NotAnswered(ResponseType.NO_ROUTE, "no route matches")
        route, matched = found
        passage.route = matched
        platform = self.api.platform
        is_skipped = platform.trailing_slash_skips_authorizer and request.path.endswith("/")
        if route.authorizer is not None and not is_skipped:
            authorization = Authorization(self.api, self.functions, self.cache, self.clock)
            passage.authorized = authorization.authorize(route.authorizer, request, matched)
        if route.api_key_required and platform.throttles_usage_identifiers:
            self._count_usage(passage.authorized)
        if isinstance(route.integration, MockIntegration):
            return GatewayAnswer(route.integration.status, [*route.integration.headers.items()])
        started = self.clock()
        try:
            return self._call(route.integration.function, request, matched, passage.authorized)
        finally:
            passage.integration_ms = int((self.clock() - started) * 1_000)

    def _count_usage(self, authorized: Authorized | None) -> None:
        key = authorized.result.usage_identifier_key if authorized else None
        self.usage.count(key, authorized.cache if authorized else CacheUse.NONE)

    def _call(
        self,
        function: str,
        request: GatewayRequest,
        matched: MatchedRoute,
        authorized: Authorized | None,
    ) -> GatewayAnswer:
        context = _authorizer_context(self.api.kind, authorized) if authorized else None
        cache = authorized.cache if authorized else CacheUse.NONE
        event = proxy_event(self.api, request, matched, context)
        try:
            answer = self.functions[function].invoke(event)
        except FunctionFailed as failed:
            reason = f"{function} raised {failed.error_type}"
            raise NotAnswered(ResponseType.INTEGRATION_FAILURE, reason, cache) from failed
        return read_proxy_answer(self.api.kind, answer, cache)


def _authorizer_context(kind: ApiKind, authorized: Authorized) -> Mapping[str, object]:
    context = authorized.result.context
    if kind is ApiKind.HTTP:
        return {"lambda": dict(context)}
    return {
        **context,
        "principalId": authorized.result.principal_id,
        "integrationLatency": authorized.latency_ms,
    }
