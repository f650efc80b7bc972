"""Every check of the canary, in the order in which they run.

`docs/platform-facts.md` lists them.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

from canary import answer_checks, aws_only_checks, cache_checks, condition_checks, path_checks
from canary.facts import Check, Finding, Found, Mark
from canary.subject import Subject
from local.api_definition import ApiKind

_YES: Final = Found.YES
_NO: Final = Found.NO
_NO_CONDITIONS: Final = (
    "local gateway: {kind}.{name}=false; stack: PolicyConditions=false with"
    " AuthorizerCacheSeconds=0, because nothing else holds the limits while a policy is cached"
)


def _on(
    kinds: Mapping[ApiKind, tuple[Mark, Found]],
    name: str,
    statement: str,
    setting: str,
    run: Callable[[Subject, ApiKind], Finding],
) -> Iterator[Check]:
    for kind, (mark, expected) in kinds.items():
        yield Check(
            name=f"{kind.lower()}-{name}",
            statement=f"{kind}: {statement}",
            mark=mark,
            expected=expected,
            setting=setting.replace("{kind}", kind.lower()),
            run=partial(_run, run, kind),
        )


def _run(run: Callable[[Subject, ApiKind], Finding], kind: ApiKind, subject: Subject) -> Finding:
    return run(subject, kind)


def _both(mark: Mark, expected: Found) -> dict[ApiKind, tuple[Mark, Found]]:
    return dict.fromkeys(ApiKind, (mark, expected))


def _only(kind: ApiKind, mark: Mark) -> dict[ApiKind, tuple[Mark, Found]]:
    return {kind: (mark, _YES)}


CHECKS: Final = (
    # First: until then no other error was raised that the metric could count.
    *_on(
        _only(ApiKind.REST, Mark.OBSERVED),
        "unauthorized-counts-as-error",
        "a raised `Unauthorized` counts in Lambda's metric `Errors`",
        "none: our alarms use our own metric",
        aws_only_checks.unauthorized_counts_as_error,
    ),
    *_on(
        _both(Mark.UNPROVEN, _YES),
        "time-condition",
        "`aws:CurrentTime` in a cached policy ends the access at its time",
        _NO_CONDITIONS.replace("{name}", "evaluates_time"),
        condition_checks.time_condition,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "source-address-condition",
        "`aws:SourceIp` in a policy is compared with the caller's address",
        _NO_CONDITIONS.replace("{name}", "evaluates_source_address"),
        condition_checks.source_address_condition,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "allow-cached",
        "an allowing answer is cached and serves other paths too",
        "local gateway: {kind}.caches_allows=false; size the authorizers for every request",
        cache_checks.allow_cached,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "denial-cached",
        "a denying answer is cached",
        "local gateway: {kind}.caches_denials=false",
        cache_checks.denial_cached,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "error-not-cached",
        "a raised error is not cached",
        "local gateway: {kind}.caches_errors=true; stack: a lower AuthorizerCacheSeconds, because"
        " one outage or mistyped secret then answers for as long",
        cache_checks.error_not_cached,
    ),
    *_on(
        _both(Mark.UNPROVEN, _YES),
        "flush",
        f"a flush ends cached answers within {cache_checks.FLUSHED_WITHIN_SECONDS} s",
        "local gateway: {kind}.flush_delay_seconds=120; stack: an AuthorizerCacheSeconds that a"
        " revoked key may live on for",
        cache_checks.flush,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "quotes-in-context",
        "a context value with quotes arrives unchanged, fresh and cached",
        "local gateway: {kind}.keeps_quotes_in_cached_context=false; none of ours holds quotes",
        cache_checks.quotes_in_context,
    ),
    *_on(
        _both(Mark.DOCUMENTED, _YES),
        "missing-identity",
        "a missing identity source is a 401, and the authorizer is not asked",
        "local gateway: {kind}.asks_without_identity=true; the authorizers refuse it as well",
        cache_checks.missing_identity,
    ),
    *_on(
        {ApiKind.REST: (Mark.DOCUMENTED, _YES), ApiKind.HTTP: (Mark.UNPROVEN, _YES)},
        "unauthorized-error",
        "an error `Unauthorized` is a 401",
        "local gateway: {kind}.answers_unauthorized=false; tell callers of a 500 for a wrong key",
        answer_checks.unauthorized_error,
    ),
    *_on(
        _only(ApiKind.REST, Mark.OBSERVED),
        "denied-context",
        "`$context.authorizer.*` is filled in the body of a policy's 403",
        "local gateway: {kind}.shows_denied_context=false; our gateway responses do not use it",
        answer_checks.denied_context,
    ),
    *_on(
        _both(Mark.UNPROVEN, _YES),
        "policy-size",
        "a policy of 8,192 bytes, the budget, is taken",
        "local gateway: {kind}.max_policy_bytes=FOUND; stack: fewer AccessMapRoutes or a shorter"
        " MaxStageLength, and MAX_POLICY_BYTES in keyscope/policy.py",
        answer_checks.policy_size,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "many-statements",
        f"a policy of {answer_checks.MANY_STATEMENTS} statements is taken",
        "local gateway: {kind}.max_policy_statements=30; our policies have two",
        answer_checks.many_statements,
    ),
    *_on(
        {ApiKind.REST: (Mark.OBSERVED, _NO), ApiKind.HTTP: (Mark.OBSERVED, _YES)},
        "path-decoded",
        "the path that functions see is percent-decoded",
        "local gateway: {kind}.decodes_path",
        path_checks.path_decoded,
    ),
    *_on(
        {ApiKind.REST: (Mark.UNPROVEN, _NO), ApiKind.HTTP: (Mark.OBSERVED, _YES)},
        "arn-decoded",
        "the path in the method ARN is percent-decoded",
        "local gateway: {kind}.arn_is_decoded; ids that need encoding are granted in both forms",
        path_checks.arn_decoded,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "arn-inner-slashes",
        "the method ARN keeps `//` inside the path",
        "local gateway: {kind}.arn_keeps_inner_slashes=false; look whether routes merge them too",
        path_checks.arn_inner_slashes,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "arn-trailing-slash",
        "the method ARN keeps the path's trailing slash",
        "local gateway: {kind}.arn_keeps_trailing_slash=false",
        path_checks.arn_trailing_slash,
    ),
    *_on(
        _both(Mark.UNPROVEN, _YES),
        "arn-dot-segments",
        "the method ARN keeps dot segments",
        "local gateway: {kind}.arn_keeps_dot_segments=false; look whether routes resolve them too",
        path_checks.arn_dot_segments,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "arn-is-path",
        "the method ARN carries the path that was asked for, not the route's template",
        "local gateway: {kind}.arn_is_route_template=true; no access map can work then",
        path_checks.arn_is_path,
    ),
    *_on(
        _only(ApiKind.REST, Mark.OBSERVED),
        "arn-without-base-path",
        "the method ARN holds no base path of a custom domain",
        "none: put the base path before the paths of the access map",
        aws_only_checks.base_path,
    ),
    *_on(
        _both(Mark.UNPROVEN, _NO),
        "method-override",
        "`X-HTTP-Method-Override` changes the method that a policy sees",
        "local gateway: {kind}.honours_method_override=true; look which method the backend sees",
        path_checks.method_override,
    ),
    *_on(
        _both(Mark.OBSERVED, _YES),
        "trailing-slash",
        "a path with a trailing slash is authorized like any other",
        "local gateway: {kind}.trailing_slash_skips_authorizer=true; let the backend refuse a"
        " request whose authorizer context is missing",
        path_checks.trailing_slash,
    ),
    *_on(
        _only(ApiKind.REST, Mark.UNPROVEN),
        "repeated-header",
        "under a repeated header's name stands its last value",
        "local gateway: {kind}.repeated_header; two Authorization headers are refused either way",
        path_checks.repeated_header_is("two"),
    ),
    *_on(
        _only(ApiKind.HTTP, Mark.DOCUMENTED),
        "repeated-header",
        "a repeated header's values are joined by commas",
        "local gateway: {kind}.repeated_header",
        path_checks.repeated_header_is("one,two"),
    ),
    *_on(
        _only(ApiKind.REST, Mark.DOCUMENTED),
        "usage-identifier",
        "`usageIdentifierKey` selects the usage plan that throttles",
        "local gateway: {kind}.throttles_usage_identifiers=false; throttle by stage or by WAF",
        answer_checks.usage_identifier,
    ),
    *_on(
        _both(Mark.DOCUMENTED, _YES),
        "cold-start-is-restore",
        "a cold start of the authorizer is a restore of its snapshot",
        "stack: attach the alias (the outputs' ARNs), not the function",
        aws_only_checks.cold_start_is_restore,
    ),
)
