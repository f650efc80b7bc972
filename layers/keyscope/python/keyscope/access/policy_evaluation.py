"""IAM's evaluation of the policy that a Lambda authorizer returned.

API Gateway evaluates policies itself. The local gateway and explanations use this module to predict
the result; no authorizer imports it. It parses the whole policy before it applies any part of it.
Anything that this module does not support or that IAM rejects is an error, because ignoring a
condition could allow what AWS denies. The rules come from the IAM User Guide,
https://docs.aws.amazon.com/IAM/latest/UserGuide/, pages `reference_policies_evaluation-logic` and
`reference_policies_elements`. Each row of the tests names its page.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final, TypeAlias

VERSION: Final = "2012-10-17"
"""The only supported version of the policy language. IAM's default is the older one."""

STATEMENT_MEMBERS: Final = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)

SID: Final = re.compile(r"[A-Za-z0-9]*")
ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
RESOURCE: Final = re.compile(r"(?!.*\$\{)(\*|arn:[^:]*:[a-z0-9-]+:.+)", re.DOTALL)
"""An ARN without policy variables and without a wildcard in its service segment, which
`reference_policies_elements_resource` does not allow."""
TIMESTAMP: Final = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){1,2}(\.[0-9]+)?Z")
NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
NETWORK: Final = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?")


class Verdict(StrEnum):
    """The result of evaluating a policy for one request."""

    ALLOWED = "allowed"
    EXPLICITLY_DENIED = "explicitly denied"
    IMPLICITLY_DENIED = "implicitly denied"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One request as IAM sees it.

    `action` is, for example, `execute-api:Invoke`; `resource` is the method ARN; `now` is in
    seconds since the epoch; `source_address` is an IPv4 or IPv6 address. `secure_transport` is true
    for a request over TLS, and `is_private` for one through a VPC endpoint.
    """

    action: str
    resource: str
    now: float
    source_address: str
    secure_transport: bool = False
    is_private: bool = False


class UnsupportedPolicy(Exception):  # noqa: N818 - a state, named as what it says
    """A policy is malformed, or uses a feature that this module does not evaluate.

    `member` is the path to the error in the document, such as `Statement[1].Resource`.
    """

    def __init__(self, member: str, why: str) -> None:
        super().__init__(f"{member}: {why}")
        self.member = member


Predicate: TypeAlias = Callable[[AccessRequest], bool]


@dataclass(frozen=True, slots=True)
class Patterns:
    """The values of `Action` or `Resource`, or of their `Not` forms when `negated`."""

    expressions: tuple[re.Pattern[str], ...]
    negated: bool

    def match(self, text: str) -> bool:
        """Return whether the statement covers an action or a resource."""
        return any(e.fullmatch(text) for e in self.expressions) is not self.negated


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """A statement ready to evaluate. `index` counts from 0; `verdict` follows from its effect."""

    index: int
    verdict: Verdict
    actions: Patterns
    resources: Patterns
    conditions: tuple[Predicate, ...]

    def applies(self, request: AccessRequest) -> bool:
        """Return whether the action, the resource and every condition match the request."""
        return (
            self.actions.match(request.action)
            and self.resources.match(request.resource)
            and all(condition(request) for condition in self.conditions)
        )


@dataclass(frozen=True, slots=True)
class Operator:
    """A condition operator: the keys it accepts, in lower case, and how it reads one value.

    Several values are alternatives; a `negated` operator requires that none of them matches.
    """

    keys: frozenset[str]
    read: Callable[[object, str], Predicate]
    negated: bool = False


def evaluate(document: object, request: AccessRequest) -> Verdict:
    """Evaluate a policy document, parsed from JSON, for a request.

    Raises:
        UnsupportedPolicy: a member is malformed or not supported, even if it does not affect the
            request.
        ValueError: a condition needs the source address, which is not an IP address.
    """
    statement = matching_statement(document, request)
    return statement.verdict if statement else Verdict.IMPLICITLY_DENIED


def matching_statement(document: object, request: AccessRequest) -> ParsedStatement | None:
    """Return the statement that decides: the first Deny that applies, or else the first Allow.

    Raises:
        UnsupportedPolicy, ValueError: as `evaluate` does.
    """
    return deciding_statement(parsed_statements(document), request)


def deciding_statement(
    statements: Iterable[ParsedStatement], request: AccessRequest
) -> ParsedStatement | None:
    """Return the statement of a parsed policy that decides, as `matching_statement` does.

    Raises:
        ValueError: a condition needs the source address, which is not an IP address.
    """
    applying = [s for s in statements if s.applies(request)]
    denying = [s for s in applying if s.verdict is Verdict.EXPLICITLY_DENIED]
    return next(iter(denying + applying), None)


@lru_cache(maxsize=1024)
def wildcard_expression(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Return a regular expression for a text in which only `*` and `?` are special.

    A star matches any run of characters and a question mark any one character, including slashes
    and colons. The slash has no meaning to IAM, and a star that ends an ARN segment also matches
    beyond the colon (`reference_policies_elements_resource`). API Gateway applies a star to the
    rest of the expression (`api-gateway-control-access-using-iam-policies-to-invoke-api`). AWS does
    not document whether a star inside a segment matches a colon; here it does.
    """
    head, *rest = (
        "".join("." if character == "?" else re.escape(character) for character in run)
        for run in pattern.split("*")
    )
    if rest:
        *middle, tail = rest
        # Atomic groups: the first match of a run is as good as any later one. Without backtracking,
        # many stars cost no more than a few.
        head += "".join(f"(?>.*?{run})" for run in middle) + f".*{tail}"
    return re.compile(head, re.DOTALL | flags)


def parsed_statements(document: object) -> list[ParsedStatement]:
    """Parse a policy document once, to evaluate it for many requests.

    Raises:
        UnsupportedPolicy: a member is malformed or not supported.
    """
    where = "policy"
    members = _members(document, where, frozenset({"Version", "Statement"}))
    if members.get("Version") != VERSION:
        raise UnsupportedPolicy(where, f"Version must be {VERSION}")
    found = _one_or_more(members.get("Statement", []), "Statement")
    return [_statement(value, index) for index, value in enumerate(found)]


def _statement(value: object, index: int) -> ParsedStatement:
    where = f"Statement[{index}]"
    members = _members(value, where, STATEMENT_MEMBERS)
    _text(members.get("Sid", ""), f"{where}.Sid", SID)
    return ParsedStatement(
        index=index,
        verdict=_verdict(members.get("Effect"), f"{where}.Effect"),
        # ASCII only: in Unicode, the Kelvin sign is a case variant of the letter k.
        actions=_patterns(members, "Action", where, ACTION, re.IGNORECASE | re.ASCII),
        resources=_patterns(members, "Resource", where, RESOURCE, re.NOFLAG),
        conditions=tuple(_conditions(members, f"{where}.Condition")),
    )


def _verdict(effect: object, where: str) -> Verdict:
    match effect:
        case "Allow":
            return Verdict.ALLOWED
        case "Deny":
            return Verdict.EXPLICITLY_DENIED
        case _:
            raise UnsupportedPolicy(where, f"{effect!r} is neither Allow nor Deny")


def _patterns(
    members: Mapping[str, object],
    name: str,
    where: str,
    shape: re.Pattern[str],
    flags: re.RegexFlag,
) -> Patterns:
    present = [form for form in (name, f"Not{name}") if form in members]
    if len(present) != 1:
        raise UnsupportedPolicy(where, f"must have exactly one of {name} and Not{name}")
    member = f"{where}.{present[0]}"
    texts = [_text(value, member, shape) for value in _one_or_more(members[present[0]], member)]
    expressions = tuple(wildcard_expression(text, flags) for text in texts)
    return Patterns(expressions, negated=present != [name])


def _conditions(members: Mapping[str, object], where: str) -> list[Predicate]:
    if "Condition" not in members:
        return []
    return [
        _condition(OPERATORS[name], values, f"{where}.{name}.{key}", key)
        for name, keys in _members(members["Condition"], where, OPERATORS.keys()).items()
        for key, values in _members(keys, f"{where}.{name}").items()
    ]


def _condition(chosen: Operator, values: object, where: str, key: str) -> Predicate:
    if key.lower() not in chosen.keys:
        raise UnsupportedPolicy(where, "this operator is not supported on this key")
    fits = [chosen.read(value, where) for value in _one_or_more(values, where)]
    absent = ABSENT_KEYS.get(key.lower(), _never)
    return lambda request: (
        (not absent(request) and any(fit(request) for fit in fits)) is not chosen.negated
    )


def _never(_request: AccessRequest) -> bool:
    return False


def _members(value: object, where: str, known: AbstractSet[str] | None = None) -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        raise UnsupportedPolicy(where, "must be an object with members")
    for name in value:
        if not isinstance(name, str) or (known is not None and name not in known):
            raise UnsupportedPolicy(where, f"{name!r} is not supported")
    return value


def _one_or_more(value: object, where: str) -> list[object]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise UnsupportedPolicy(where, "must have a value")
    return values


def _text(value: object, where: str, shape: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise UnsupportedPolicy(where, f"{value!r} is malformed or not supported")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, str):
        return float(_text(value, where, NUMBER))
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf:
        return value
    raise UnsupportedPolicy(where, f"{value!r} is not a number")


def _date(value: object, where: str) -> float:
    if not isinstance(value, str) or not TIMESTAMP.fullmatch(value):
        return _number(value, where)
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError as error:
        raise UnsupportedPolicy(where, f"{value!r} is not a time") from error


def _compares(
    compare: Callable[[float, float], bool], limit_of: Callable[[object, str], float]
) -> Callable[[object, str], Predicate]:
    def read(value: object, where: str) -> Predicate:
        limit = limit_of(value, where)
        return lambda request: compare(request.now, limit)

    return read


def _is_in_network(value: object, where: str) -> Predicate:
    # The standard library also accepts a number, or a mask instead of the prefix length. An IPv6
    # address alone means that address; AWS's page says /32 for both versions, presumably by
    # mistake.
    text = _text(value, where, NETWORK)
    try:
        network = ip_network(text)
    except ValueError as error:
        raise UnsupportedPolicy(where, f"{text!r} is neither an address nor a CIDR") from error
    return lambda request: ip_address(request.source_address) in network


def _is_secure(value: object, where: str) -> Predicate:
    match value:
        case True | "true":
            return lambda request: request.secure_transport
        case False | "false":
            return lambda request: not request.secure_transport
        case _:
            raise UnsupportedPolicy(where, f"{value!r} is neither true nor false")


ANY_TIME: Final = frozenset({"aws:currenttime", "aws:epochtime"})
EPOCH_TIME: Final = frozenset({"aws:epochtime"})
ABSENT_KEYS: Final[Mapping[str, Predicate]] = {
    "aws:sourceip": lambda request: request.is_private,
    "aws:vpcsourceip": lambda request: not request.is_private,
}
"""Whether a request lacks a key. A VPC endpoint sets one of these keys instead of the other."""
SOURCE_IP: Final = frozenset(ABSENT_KEYS)
SECURE_TRANSPORT: Final = frozenset({"aws:securetransport"})

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
    "Equals": operator.eq,
}

OPERATORS: Final[Mapping[str, Operator]] = {
    **{f"Date{n}": Operator(ANY_TIME, _compares(c, _date)) for n, c in COMPARISONS.items()},
    **{f"Numeric{n}": Operator(EPOCH_TIME, _compares(c, _number)) for n, c in COMPARISONS.items()},
    "DateNotEquals": Operator(ANY_TIME, _compares(operator.eq, _date), negated=True),
    "IpAddress": Operator(SOURCE_IP, _is_in_network),
    "NotIpAddress": Operator(SOURCE_IP, _is_in_network, negated=True),
    "Bool": Operator(SECURE_TRANSPORT, _is_secure),
}
"""The supported condition operators (`reference_policies_elements_condition_operators`)."""
