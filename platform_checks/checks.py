"""Every check of the canary, in the order in which they run, and the run.

`docs/reference/platform-facts.md` lists them.
"""

from collections.abc import Iterable
from typing import Final

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks import (
    answer_checks,
    aws_only_checks,
    cache_checks,
    condition_checks,
    path_checks,
)
from platform_checks.facts import Check, Fact, Found, Mark, Observation, both, only, unknown
from platform_checks.probe_api import Unanswered
from platform_checks.report import Result
from platform_checks.subject import Subject

_YES: Final = Found.YES
_NO: Final = Found.NO
_NO_CONDITIONS: Final = (
    "PolicyConditions=false with AuthorizerCacheSeconds=0, because nothing else holds the limits"
    " while a policy is cached"
)
_FACTS: Final = (
    # First, before any other check raises an error that the metric would count.
    Fact(
        only(ApiKind.REST, Mark.OBSERVED),
        "unauthorized-counts-as-error",
        "a raised `Unauthorized` counts in Lambda's metric `Errors`",
        aws_only_checks.unauthorized_counts_as_error,
    ),
    Fact(
        both(Mark.UNPROVEN, _YES),
        "time-condition",
        "`aws:CurrentTime` in a cached policy ends access at the given time",
        condition_checks.time_condition,
        local="evaluates_time=false",
        remedy=_NO_CONDITIONS,
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "source-address-condition",
        "`aws:SourceIp` in a policy is compared with the caller's address",
        condition_checks.source_address_condition,
        local="evaluates_source_address=false",
        remedy=_NO_CONDITIONS,
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "allow-cached",
        "an allow is cached and also used for other paths",
        cache_checks.allow_cached,
        local="caches_allows=false",
        remedy="size the authorizers for every request",
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "denial-cached",
        "a denial is cached",
        cache_checks.denial_cached,
        local="caches_denials=false",
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "error-not-cached",
        "a raised error is not cached",
        cache_checks.error_not_cached,
        local="caches_errors=true",
        remedy="lower AuthorizerCacheSeconds, because one outage then answers for that long",
    ),
    Fact(
        both(Mark.UNPROVEN, _YES),
        "flush",
        f"a flush ends cached answers within {cache_checks.FLUSHED_WITHIN_SECONDS} s",
        cache_checks.flush,
        local="flush_delay_seconds=120",
        remedy="lower AuthorizerCacheSeconds to how long a revoked key may keep working",
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "quotes-in-context",
        "a context value with quotes arrives unchanged, fresh and cached",
        cache_checks.quotes_in_context,
        local="keeps_quotes_in_cached_context=false",
        remedy="nothing to change; no context value contains quotes",
    ),
    Fact(
        both(Mark.DOCUMENTED, _YES),
        "missing-identity",
        "a missing identity source causes a 401 without invoking the authorizer",
        cache_checks.missing_identity,
        local="asks_without_identity=true",
        remedy="nothing to change; the authorizers also refuse it",
    ),
    Fact(
        {ApiKind.REST: (Mark.DOCUMENTED, _YES), ApiKind.HTTP: (Mark.UNPROVEN, _YES)},
        "unauthorized-error",
        "an error `Unauthorized` causes a 401",
        answer_checks.unauthorized_error,
        local="answers_unauthorized=false",
        remedy="tell callers that a wrong key gets a 500",
    ),
    Fact(
        only(ApiKind.REST, Mark.OBSERVED),
        "denied-context",
        "`$context.authorizer.*` is filled in the body of a policy's 403",
        answer_checks.denied_context,
        local="shows_denied_context=false",
        remedy="nothing to change; our gateway responses do not use it",
    ),
    Fact(
        only(ApiKind.HTTP, Mark.UNPROVEN),
        "cors-on-refusals",
        "a 401 and a 403 have the API's CORS headers",
        answer_checks.cors_on_refusals,
        local="cors_on_refusals=false",
        remedy="use a REST API for pages: its gateway responses have the headers",
    ),
    Fact(
        both(Mark.UNPROVEN, _YES),
        "policy-size",
        "a policy of 8,192 bytes, the budget, is accepted",
        answer_checks.policy_size,
        local="max_policy_bytes=8000",
        remedy="fewer AccessMapRoutes or a lower MaxStageLength, and MAX_POLICY_BYTES as found",
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "many-statements",
        f"a policy of {answer_checks.MANY_STATEMENTS} statements is accepted",
        answer_checks.many_statements,
        local="max_policy_statements=30",
        remedy="nothing to change; our policies have two",
    ),
    Fact(
        both(Mark.UNPROVEN, _YES),
        "climbing-deny",
        "a Deny on any path of the API, with a backslash, is accepted and applied",
        answer_checks.climbing_deny,
        local="takes_any_resource=false",
        remedy="do not go live; rewrite the Denies in path_variants.py",
    ),
    Fact(
        {ApiKind.REST: (Mark.OBSERVED, _NO), ApiKind.HTTP: (Mark.OBSERVED, _YES)},
        "path-decoded",
        "the path that functions see is percent-decoded",
        path_checks.path_decoded,
        local="decodes_path=OTHERWISE",
        remedy="check whether backends decode twice, or not at all",
    ),
    Fact(
        {ApiKind.REST: (Mark.UNPROVEN, _NO), ApiKind.HTTP: (Mark.OBSERVED, _YES)},
        "arn-decoded",
        "the path in the method ARN is percent-decoded",
        path_checks.arn_decoded,
        local="arn_is_decoded=OTHERWISE",
        remedy="nothing to change; ids that need encoding are granted in both forms",
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "arn-inner-slashes",
        "the method ARN keeps `//` inside the path",
        path_checks.arn_inner_slashes,
        local="arn_keeps_inner_slashes=false",
        remedy="check whether backends merge them too",
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "arn-trailing-slash",
        "the method ARN keeps the path's trailing slash",
        path_checks.arn_trailing_slash,
        local="arn_keeps_trailing_slash=false",
        remedy="check whether backends drop it too",
    ),
    Fact(
        only(ApiKind.HTTP, Mark.UNPROVEN),
        "decoded-characters",
        "a decoded TAB and `?` reach the path and the method ARN",
        path_checks.decoded_characters,
        local="keeps_decoded_characters=false",
        remedy="nothing to change: the Deny also covers the text that is cut",
    ),
    Fact(
        both(Mark.UNPROVEN, _YES),
        "arn-dot-segments",
        "the method ARN keeps dot segments",
        path_checks.arn_dot_segments,
        local="arn_keeps_dot_segments=false",
        remedy="check whether backends resolve them too",
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "arn-is-path",
        "the method ARN contains the requested path, not the route's template",
        path_checks.arn_is_path,
        local="arn_is_route_template=true",
        remedy="no access map can work; do not go live",
    ),
    Fact(
        only(ApiKind.REST, Mark.OBSERVED),
        "arn-without-base-path",
        "the method ARN contains no base path of a custom domain",
        aws_only_checks.base_path,
        remedy="add the base path to the paths of the access map",
    ),
    Fact(
        only(ApiKind.REST, Mark.UNPROVEN),
        "vpc-source-ip",
        "`aws:VpcSourceIp` in a private API's policy is compared with the caller's address",
        aws_only_checks.vpc_source_ip,
        remedy="do not limit keys that call a private API to CIDRs",
    ),
    Fact(
        both(Mark.UNPROVEN, _NO),
        "method-override",
        "`X-HTTP-Method-Override` changes the method that a policy sees",
        path_checks.method_override,
        local="honours_method_override=true",
        remedy="check which method the backend sees",
    ),
    Fact(
        both(Mark.OBSERVED, _YES),
        "trailing-slash",
        "a path with a trailing slash is authorized like any other",
        path_checks.trailing_slash,
        local="trailing_slash_skips_authorizer=true",
        remedy="let backends refuse a request without an authorizer context",
    ),
    Fact(
        only(ApiKind.REST, Mark.UNPROVEN),
        "repeated-header",
        "a repeated header has its last value",
        path_checks.repeated_header_is("two"),
        local="repeated_header=first",
        remedy="nothing to change; two Authorization headers are refused",
    ),
    Fact(
        only(ApiKind.HTTP, Mark.DOCUMENTED),
        "repeated-header",
        "a repeated header's values are joined by commas",
        path_checks.repeated_header_is("one,two"),
        local="repeated_header=first",
        remedy="nothing to change; two Authorization headers are refused",
    ),
    Fact(
        only(ApiKind.REST, Mark.DOCUMENTED),
        "usage-identifier",
        "`usageIdentifierKey` selects the usage plan that throttles",
        answer_checks.usage_identifier,
        local="throttles_usage_identifiers=false",
        remedy="throttle by stage or by AWS WAF",
    ),
    Fact(
        both(Mark.DOCUMENTED, _YES),
        "cold-start-as-set",
        "a cold start of the authorizer is a start, or with SnapStart a restore",
        aws_only_checks.cold_start_is_as_set,
        remedy="attach the aliases that the outputs name, not the functions",
    ),
    Fact(
        only(ApiKind.REST, Mark.DOCUMENTED),
        "failure-reported",
        "where `SystemLogLevel` is WARN, Lambda reports an invocation that raised `Unauthorized`",
        aws_only_checks.failures_are_reported,
        remedy="SystemLogLevel=INFO to see how long starts take",
    ),
    Fact(
        only(ApiKind.REST, Mark.DOCUMENTED),
        "json-log-unchanged",
        "a line of JSON that a function writes is in its JSON log as it was written",
        aws_only_checks.lines_are_unchanged,
        remedy="LogFormat=Text, if `_aws` is no longer a member of the line",
    ),
    Fact(
        only(ApiKind.REST, Mark.OBSERVED),
        "json-log-metrics",
        "a line of the embedded metric format in a JSON log becomes a metric",
        aws_only_checks.lines_become_metrics,
        remedy="LogFormat=Text and filter patterns of text logs: no alarm fires without metrics",
    ),
)
CHECKS: Final = tuple(check for fact in _FACTS for check in fact.checks())


def run_checks(subject: Subject, checks: Iterable[Check] = CHECKS) -> list[Result]:
    """Return what each check found; a check without a response does not stop the others."""
    return [Result(check, _found_by(check, subject)) for check in checks]


def _found_by(check: Check, subject: Subject) -> Observation:
    try:
        return check.run(subject)
    except Unanswered as error:
        return unknown(str(error))
