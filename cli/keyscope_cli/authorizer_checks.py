"""`doctor` on the authorizers: their functions, their settings, and how the APIs attach them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.access.rules import MANAGEMENT
from keyscope.entry.settings import AuthorizerSettings
from keyscope.errors import Misconfigured
from keyscope_cli.aws import Aws
from keyscope_cli.deployed_settings import map_layer_of, settings_of
from keyscope_cli.findings import CheckVerdict, Finding, judged
from keyscope_cli.maps.map_file import management_warning

RUNTIME = "python3.13"
IDENTITY_SOURCES = {"method.request.header.Authorization", "$request.header.Authorization"}


@dataclass(frozen=True, slots=True)
class Attached:
    """An authorizer as attached to an API."""

    uri: str
    identity_sources: list[str]
    ttl_seconds: int


def function_findings(aws: Aws, check: str, arn: str) -> Iterator[Finding]:
    """Check an authorizer's function, through its alias, and its settings."""
    found = aws.client("lambda").get_function_configuration(FunctionName=arn)
    state, update = found.get("State", "?"), found.get("LastUpdateStatus", "?")
    yield judged(
        check,
        f"{state}, last update {update}, {found['Runtime']}",
        ok=state == "Active" and update == "Successful" and found["Runtime"] == RUNTIME,
        otherwise=CheckVerdict.PROBLEM,
        advice=f"Deploy again. The function must be Active and use {RUNTIME}.",
    )
    snap_start = found.get("SnapStart", {})
    status = snap_start.get("OptimizationStatus", "Off")
    yield judged(
        f"{check}: SnapStart",
        status,
        ok=status == "On" or snap_start.get("ApplyOn", "None") == "None",
        otherwise=CheckVerdict.WARNING,
        advice="Deploy the template again, so that the alias points to a version with a snapshot.",
    )
    yield from settings_findings(check, lambda: settings_of(aws, found))


def settings_findings(check: str, read: Callable[[], AuthorizerSettings]) -> Iterator[Finding]:
    """Check whether an authorizer starts with its settings, and how it serves Keyscope itself."""
    try:
        settings = read()
        access_map = read_access_map(settings.access_map, settings.route_sets)
        prepare_policies(access_map, settings.max_stage_length)
    except Misconfigured as error:
        advice = "Correct the parameter. If the map is yours, run keyscope from your clone."
        yield Finding(f"{check}: settings", CheckVerdict.PROBLEM, str(error), advice)
        return
    routes = ",".join(settings.route_sets) or f"the map's only set and {MANAGEMENT}"
    yield Finding(f"{check}: settings", CheckVerdict.OK, f"Route sets: {routes}. The policies fit")
    if warning := management_warning(access_map):
        name = f"{check}: management"
        yield Finding(name, CheckVerdict.WARNING, warning, f"Add {MANAGEMENT} to AccessMapRoutes.")


def map_layer_findings(aws: Aws, functions: Mapping[str, str]) -> Iterator[Finding]:
    """Check that all functions that read an access map load it from the same layer."""
    client = aws.client("lambda")
    layers = {
        check: map_layer_of(client.get_function_configuration(FunctionName=name))
        for check, name in functions.items()
    }
    if not any(layers.values()):
        return
    yield judged(
        "access map layer",
        "; ".join(f"{check}: {arn}" for check, arn in layers.items())
        if len(set(layers.values())) > 1
        else str(next(iter(layers.values()))),
        ok=len(set(layers.values())) == 1,
        otherwise=CheckVerdict.PROBLEM,
        advice="Deploy the template again, so that all functions load the same map.",
    )


def rest_authorizers(aws: Aws, api_id: str) -> list[Attached]:
    """Return the authorizers of a REST API."""
    found = aws.client("apigateway").get_authorizers(restApiId=api_id, limit=500)["items"]
    return [
        Attached(
            one.get("authorizerUri", ""),
            [source.strip() for source in one.get("identitySource", "").split(",") if source],
            one.get("authorizerResultTtlInSeconds", 300),
        )
        for one in found
    ]


def http_authorizers(aws: Aws, api_id: str) -> list[Attached]:
    """Return the authorizers of an HTTP API."""
    found: list[dict[str, Any]] = aws.client("apigatewayv2").get_authorizers(ApiId=api_id)["Items"]
    return [
        Attached(
            one.get("AuthorizerUri", ""),
            one.get("IdentitySource", []),
            one.get("AuthorizerResultTtlInSeconds", 0),
        )
        for one in found
    ]


def attachment_findings(
    check: str, attached: list[Attached], alias_arn: str, settings: AuthorizerSettings | None
) -> Iterator[Finding]:
    """Check how an API attaches its authorizer."""
    function_arn = alias_arn.rpartition(":")[0]
    ours = [one for one in attached if function_arn in one.uri]
    if not ours:
        advice = "Attach the authorizer to the API. Its routes may be open to everyone."
        yield Finding(
            check, CheckVerdict.PROBLEM, "The API does not use Keyscope's authorizer", advice
        )
    for one in ours:
        by_alias = f"{alias_arn}/" in one.uri
        yield judged(
            check,
            "Attached through the alias" if by_alias else "Attached to the function, not its alias",
            ok=by_alias,
            otherwise=CheckVerdict.PROBLEM,
            advice="Build the authorizer URI from the exported alias ARN. $LATEST has neither"
            " SnapStart nor the settings of a deployed version.",
        )
        sources = ", ".join(one.identity_sources) or "none"
        yield judged(
            f"{check}: identity source",
            sources,
            ok=set(one.identity_sources) <= IDENTITY_SOURCES
            and (bool(one.identity_sources) or not one.ttl_seconds),
            otherwise=CheckVerdict.PROBLEM,
            advice="Use only the Authorization header as identity source: it is the cache's key.",
        )
        if settings is not None:
            yield cache_finding(f"{check}: caches", one.ttl_seconds, settings)


def cache_finding(check: str, ttl_seconds: int, settings: AuthorizerSettings) -> Finding:
    """Compare API Gateway's cache time with the containers' and with the policies' conditions."""
    key_cache = settings.key_cache_seconds
    found = f"API Gateway {ttl_seconds} s, containers {key_cache} s"
    if ttl_seconds and not settings.policy_conditions:
        advice = (
            "Set AuthorizerCacheSeconds to 0 or PolicyConditions to true. Otherwise, cached"
            " policies outlive their tokens and ignore allowed IP ranges."
        )
        return Finding(check, CheckVerdict.PROBLEM, f"{found}, without conditions", advice)
    if 0 < ttl_seconds < key_cache:
        advice = (
            "Lower KeyCacheSeconds, which determines how long a revoked key still works, or raise"
            " AuthorizerCacheSeconds."
        )
        return Finding(check, CheckVerdict.WARNING, found, advice)
    return Finding(check, CheckVerdict.OK, found)
