"""What the local gateway assumes about API Gateway where AWS documents nothing, as settings.

Each default is what `docs/reference/platform-facts.md` says about its fact. If the canary shows
otherwise, change the setting to see what the stack then does, as in `keyscope up
--platform "rest.max_policy_bytes=4096 http.answers_unauthorized=false"`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast
from urllib.parse import unquote


class RepeatedHeader(StrEnum):
    """Which value of a repeated header a function sees under its name."""

    FIRST = "first"
    LAST = "last"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class PlatformBehavior:
    """The behavior of one kind of API.

    - `evaluates_time`, `evaluates_source_address`: an authorizer's policy may have conditions on
      `aws:CurrentTime` and `aws:SourceIp`; otherwise they are ignored.
    - `caches_allows`, `caches_denials`, `caches_errors`: what the result cache stores.
    - `flush_delay_seconds`: how long cached results are still used after a flush.
    - `keeps_quotes_in_cached_context`: a cached context value with quotes does not change.
    - `asks_without_identity`: the authorizer is called even if an identity source is missing.
    - `answers_unauthorized`: an error `Unauthorized` is a 401; otherwise a 500, like any other
      error.
    - `shows_denied_context`: the body of a 403 can contain `$context.authorizer.*`.
    - `cors_on_refusals`: an HTTP API with CORS settings adds the headers to its own refusals, too.
    - `max_policy_bytes`, `max_policy_statements`: a larger policy is a 500; 0 sets no limit.
    - `takes_any_resource`: a resource may contain a backslash; otherwise that is a 500.
    - `decodes_path`: routes and functions see the path percent-decoded.
    - `keeps_decoded_characters`: a decoded path keeps TAB, LF, CR and what follows `?` or `#`.
    - `arn_is_decoded`, `arn_keeps_inner_slashes`, `arn_keeps_trailing_slash`,
      `arn_keeps_dot_segments`: the form of the path in the method ARN.
    - `arn_is_route_template`: the method ARN contains the route's template, not the path.
    - `honours_method_override`: `X-HTTP-Method-Override` changes the method.
    - `trailing_slash_skips_authorizer`: such a path reaches the backend without authorization.
    - `repeated_header`: the value of a repeated header.
    - `throttles_usage_identifiers`: `usageIdentifierKey` selects the usage plan.
    """

    evaluates_time: bool = True
    evaluates_source_address: bool = True
    caches_allows: bool = True
    caches_denials: bool = True
    caches_errors: bool = False
    flush_delay_seconds: int = 0
    keeps_quotes_in_cached_context: bool = True
    asks_without_identity: bool = False
    answers_unauthorized: bool = True
    shows_denied_context: bool = True
    cors_on_refusals: bool = True
    max_policy_bytes: int = 0
    max_policy_statements: int = 0
    takes_any_resource: bool = True
    decodes_path: bool = False
    keeps_decoded_characters: bool = True
    arn_is_decoded: bool = False
    arn_keeps_inner_slashes: bool = True
    arn_keeps_trailing_slash: bool = True
    arn_keeps_dot_segments: bool = True
    arn_is_route_template: bool = False
    honours_method_override: bool = False
    trailing_slash_skips_authorizer: bool = False
    repeated_header: RepeatedHeader = RepeatedHeader.LAST
    throttles_usage_identifiers: bool = True


REST_BEHAVIOR: Final = PlatformBehavior()
HTTP_BEHAVIOR: Final = PlatformBehavior(
    decodes_path=True, arn_is_decoded=True, repeated_header=RepeatedHeader.JOINED
)


def decoded(path: str, behavior: PlatformBehavior) -> str:
    """Return a path with its escapes decoded once, as the platform passes it on."""
    text = unquote(path)
    if behavior.keeps_decoded_characters:
        return text
    return re.split("[?#]", re.sub("[\t\n\r]", "", text), maxsplit=1)[0]


def without_conditions(policy: object, behavior: PlatformBehavior) -> object:
    """Return a policy without the conditions that the platform would ignore."""
    passed_over = {
        key.lower()
        for key, is_evaluated in (
            ("aws:CurrentTime", behavior.evaluates_time),
            ("aws:SourceIp", behavior.evaluates_source_address),
        )
        if not is_evaluated
    }
    if not passed_over or not isinstance(policy, dict):
        return policy
    statements = cast("list[dict[str, object]]", policy["Statement"])
    return {**policy, "Statement": [_unconditional(each, passed_over) for each in statements]}


def _unconditional(statement: Mapping[str, object], passed_over: set[str]) -> dict[str, object]:
    condition = cast("Mapping[str, Mapping[str, object]]", statement.get("Condition", {}))
    left = {
        operator: kept
        for operator, keys in condition.items()
        if (kept := {key: keys[key] for key in keys if key.lower() not in passed_over})
    }
    rest = {name: value for name, value in statement.items() if name != "Condition"}
    return {**rest, "Condition": left} if left else rest
