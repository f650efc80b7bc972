"""What routes need to know about a request: the caller, the source address, and the query."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.params import Path

from keyscope.lifecycle.audit import Actor
from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.key_use import LastUse
from keyscope.lifecycle.management import Management
from keyscope.lifecycle.operations import Provisioning
from keyscope.management_api.requests import member
from keyscope.model.context import principal_of_context
from keyscope.model.principal import Principal

AppId = Annotated[str, Path(alias="appId")]
ServiceAccountId = Annotated[str, Path(alias="serviceAccountId")]
KeyId = Annotated[str, Path(alias="keyId")]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The request that the API is handling, as its routes see it."""

    api: APIGatewayRestResolver
    provisioning: Callable[[], Provisioning]

    def management(self, integration_id: str | None = None) -> Management:
        """Return the operations that the caller may use, on keys only on those of an integration.

        Raises:
            Unavailable: `MALFORMED_CONTEXT`; the authorizer's context names no caller.
        """
        principal = caller_of(self.api)
        actor = _actor(principal, member(self._event(), "requestContext"))
        provisioning = self.provisioning().acting_for(actor)
        return Management(provisioning, principal, actor.source_address, integration_id)

    def last_uses(self, keys: Sequence[Key]) -> Mapping[str, LastUse]:
        """Return when each key was last used, by its id."""
        return self.provisioning().last_uses(keys)

    def last_use(self, key: Key) -> LastUse:
        """Return when a key was last used."""
        return self.last_uses([key])[key.key_id]

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return self.provisioning().clock()

    def query(self) -> Mapping[str, str]:
        """Return the query parameters, each with one value."""
        return cast("Mapping[str, str]", member(self._event(), "queryStringParameters"))

    def url(self) -> str:
        """Return the requested URL without its query.

        The domain comes from API Gateway, because clients and proxies choose the headers. Without a
        domain, the URL is relative.
        """
        context = member(self._event(), "requestContext")
        path, domain = context.get("path", ""), context.get("domainName")
        if not isinstance(domain, str):
            return str(path)
        headers = {name.lower(): value for name, value in member(self._event(), "headers").items()}
        # API Gateway serves only https; the local gateway serves http.
        scheme = "http" if headers.get("x-forwarded-proto") == "http" else "https"
        return f"{scheme}://{domain}{path}"

    def _event(self) -> Mapping[str, object]:
        return cast("Mapping[str, object]", self.api.current_event.raw_event)


def caller_of(api: APIGatewayRestResolver) -> Principal:
    """Return the principal that sends the request.

    Raises:
        Unavailable: `MALFORMED_CONTEXT`; the authorizer's context names no principal.
    """
    event = cast("Mapping[str, object]", api.current_event.raw_event)
    return principal_of_context(member(event, "requestContext").get("authorizer"))


def source_address_of(api: APIGatewayRestResolver) -> str | None:
    """Return the source address of the request, as API Gateway reports it."""
    event = cast("Mapping[str, object]", api.current_event.raw_event)
    return _source_address(member(event, "requestContext"))


def _source_address(context: Mapping[str, object]) -> str | None:
    address = member(context, "identity").get("sourceIp")
    return address if isinstance(address, str) else None


def _actor(principal: Principal, context: Mapping[str, object]) -> Actor:
    request_id = context.get("requestId")
    return Actor(
        request_id=request_id if isinstance(request_id, str) else None,
        source_address=_source_address(context),
        key_id=principal.key_id,
        scope=principal.scope.value,
        account_id=principal.account_id,
        service_account_id=principal.service_account_id,
        app_id=principal.app_id,
        integration_id=principal.integration_id,
        external_ids=principal.external_ids,
    )
