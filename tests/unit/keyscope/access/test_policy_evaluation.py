from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.access.policy_evaluation import (
    AccessRequest,
    UnsupportedPolicy,
    Verdict,
    evaluate,
    matching_statement,
    wildcard_expression,
)

ALLOWED = Verdict.ALLOWED
EXPLICITLY_DENIED = Verdict.EXPLICITLY_DENIED
IMPLICITLY_DENIED = Verdict.IMPLICITLY_DENIED

IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
LOGIC = f"{IAM}/reference_policies_evaluation-logic_AccessPolicyLanguage_Interplay.html"
ACTION = f"{IAM}/reference_policies_elements_action.html"
NOT_ACTION = f"{IAM}/reference_policies_elements_notaction.html"
RESOURCE = f"{IAM}/reference_policies_elements_resource.html"
NOT_RESOURCE = f"{IAM}/reference_policies_elements_notresource.html"
CONDITION = f"{IAM}/reference_policies_elements_condition.html"
OPERATORS = f"{IAM}/reference_policies_elements_condition_operators.html"
KEYS = f"{IAM}/reference_policies_condition-keys.html"
MULTIPLE = f"{IAM}/reference_policies_condition-logic-multiple-context-keys-or-values.html"
GRAMMAR = f"{IAM}/reference_policies_grammar.html"
STATEMENT = f"{IAM}/reference_policies_elements_statement.html"
SID = f"{IAM}/reference_policies_elements_sid.html"
DENY_IP = f"{IAM}/reference_policies_examples_aws_deny-ip.html"
DATES = f"{IAM}/reference_policies_examples_aws-dates.html"
GATEWAY = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
INVOKE = f"{GATEWAY}/api-gateway-control-access-using-iam-policies-to-invoke-api.html"
INVOKE_EXAMPLES = f"{GATEWAY}/api-gateway-iam-policy-examples-for-api-execution.html"
OUTPUT = f"{GATEWAY}/api-gateway-lambda-authorizer-output.html"

API = "arn:aws:execute-api:us-east-1:111111111111:a123456789"
BUCKET = "arn:aws:s3:::photos"
NOON = 1_593_518_400
"""2020-06-30T12:00:00Z, in seconds since the epoch."""

GET_PETS = AccessRequest("execute-api:Invoke", f"{API}/test/GET/pets", NOON, "203.0.113.7")
GET_PHOTO = replace(GET_PETS, action="s3:GetObject", resource=f"{BUCKET}/1/test/cat.jpg")


def statement(effect: str, **members: object) -> dict[str, object]:
    """Return a statement about any action on any resource, except for the members given."""
    return {"Effect": effect, "Action": "*", "Resource": "*", **members}


def policy(*statements: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(**members: object) -> dict[str, object]:
    return policy(statement("Allow", **members))


def allow_not(form: str, value: object) -> dict[str, object]:
    members = statement("Allow", **{f"Not{form}": value})
    return policy({name: members[name] for name in members if name != form})


def allow_if(operator: str, key: str, value: object) -> dict[str, object]:
    return allow(Condition={operator: {key: value}})


@dataclass(frozen=True, slots=True)
class Case:
    """One documented fact, the page that states it, and what follows for one request."""

    fact: str
    source: str
    document: dict[str, object]
    request: AccessRequest
    expected: Verdict


def photo(path: str) -> AccessRequest:
    return replace(GET_PHOTO, resource=f"{BUCKET}/{path}")


def invoke(path: str) -> AccessRequest:
    return replace(GET_PETS, resource=f"{API}/{path}")


EFFECTS = [
    Case("an allow allows", LOGIC, allow(), GET_PETS, ALLOWED),
    Case(
        "what nothing allows is denied",
        LOGIC,
        allow(Action="s3:*"),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "a deny overrides an allow before it",
        LOGIC,
        policy(statement("Allow"), statement("Deny")),
        GET_PETS,
        EXPLICITLY_DENIED,
    ),
    Case(
        "a deny overrides an allow after it",
        LOGIC,
        policy(statement("Deny"), statement("Allow")),
        GET_PETS,
        EXPLICITLY_DENIED,
    ),
    Case(
        "a deny of something else leaves an allow alone",
        INVOKE,
        policy(
            statement("Allow", Resource=f"{API}/*/GET/pets"),
            statement("Deny", Resource=f"{API}/*/POST/pets"),
        ),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a deny of one method denies it in any stage",
        INVOKE,
        policy(
            statement("Allow", Resource=f"{API}/*/GET/pets"),
            statement("Deny", Resource=f"{API}/*/POST/pets"),
        ),
        invoke("test/POST/pets"),
        EXPLICITLY_DENIED,
    ),
    Case(
        "a deny of the root does not deny what is below it",
        OUTPUT,
        policy(statement("Allow"), statement("Deny", Resource=f"{API}/test/GET/")),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "one statement needs no list",
        STATEMENT,
        {"Version": "2012-10-17", "Statement": statement("Allow")},
        GET_PETS,
        ALLOWED,
    ),
    Case("a statement may have an id", SID, allow(Sid="Pets1"), GET_PETS, ALLOWED),
]

ACTIONS = [
    Case(
        "prefix and name of an action are case-insensitive",
        ACTION,
        allow(Action="EXECUTE-API:invoke"),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a star covers all the actions of a service",
        INVOKE,
        allow(Action="execute-api:*"),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a star covers no action of another service",
        ACTION,
        allow(Action="s3:*"),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "a star may stand within the name of an action",
        ACTION,
        allow(Action="iam:*AccessKey*"),
        replace(GET_PETS, action="iam:ListAccessKeys"),
        ALLOWED,
    ),
    Case(
        "any of several actions suffices",
        ACTION,
        allow(Action=["sqs:SendMessage", "s3:GetObject"]),
        GET_PHOTO,
        ALLOWED,
    ),
    Case(
        "NotAction covers every action but those listed",
        NOT_ACTION,
        allow_not("Action", "iam:*"),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "NotAction does not cover those listed",
        NOT_ACTION,
        allow_not("Action", ["s3:DeleteBucket", "iam:*"]),
        replace(GET_PETS, action="iam:ListUsers"),
        IMPLICITLY_DENIED,
    ),
]

SLASHES = [
    Case(
        f"two stars, a slash around each: {path!r} {word}",
        RESOURCE,
        allow(Resource=f"{BUCKET}/*/test/*"),
        photo(path),
        expected,
    )
    for word, expected, paths in (
        (
            "matches",
            ALLOWED,
            (
                "1/test/cat.jpg",
                "1/2/test/cat.jpg",
                "1/2/test/3/cat.jpg",
                "1///test///cat.jpg",
                "1/test/.jpg",
                "/test/cat.jpg",
                "1/test/",
            ),
        ),
        (
            "does not match",
            IMPLICITLY_DENIED,
            ("1-test/cat.jpg", "test/cat.jpg", "1/2/test.jpg"),
        ),
    )
    for path in paths
]

RESOURCES = [
    Case(
        "a resource is case-sensitive",
        RESOURCE,
        allow(Resource=f"{API}/test/get/Pets"),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "a question mark is one character",
        RESOURCE,
        allow(Resource=f"{API}/test/GET/pet?"),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a question mark is not no character",
        RESOURCE,
        allow(Resource=f"{API}/test/GET/pets?"),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "a star that ends a segment goes beyond the colon",
        RESOURCE,
        allow(Resource="arn:aws:execute-api:*"),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "any of several resources suffices",
        RESOURCE,
        allow(Resource=[f"{API}/test/GET/users", f"{API}/test/GET/pets"]),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "NotResource covers everything but what it lists",
        NOT_RESOURCE,
        policy(
            statement("Allow"),
            {
                "Effect": "Deny",
                "Action": "s3:*",
                "NotResource": [f"{BUCKET}/payroll", f"{BUCKET}/payroll/*"],
            },
        ),
        photo("1.jpg"),
        EXPLICITLY_DENIED,
    ),
    Case(
        "NotResource does not cover what it lists",
        NOT_RESOURCE,
        policy(
            statement("Allow"),
            {
                "Effect": "Deny",
                "Action": "s3:*",
                "NotResource": [f"{BUCKET}/payroll", f"{BUCKET}/payroll/*"],
            },
        ),
        photo("payroll/1.jpg"),
        ALLOWED,
    ),
    Case(
        "three stars are any API in any region",
        INVOKE,
        allow(Resource="arn:aws:execute-api:*:*:*"),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a named region is that region only",
        INVOKE,
        allow(Resource="arn:aws:execute-api:us-west-2:*:*"),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "a star after the stage is any method and path",
        INVOKE,
        allow(Resource="arn:aws:execute-api:us-east-1:*:a123456789/test/*"),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a named stage is that stage only",
        INVOKE,
        allow(Resource="arn:aws:execute-api:us-east-1:*:a123456789/test/*"),
        invoke("prod/GET/pets"),
        IMPLICITLY_DENIED,
    ),
    Case(
        "a star in place of stage and method is any of them",
        INVOKE_EXAMPLES,
        allow(Resource="arn:aws:execute-api:*:*:a123456789/*/*/walkthrough/pets"),
        invoke("prod/DELETE/walkthrough/pets"),
        ALLOWED,
    ),
    Case(
        "a star below a path does not cover the path itself",
        INVOKE_EXAMPLES,
        allow(Resource="arn:aws:execute-api:us-east-1:*:a123456789/test/POST/pets/*"),
        invoke("test/POST/pets"),
        IMPLICITLY_DENIED,
    ),
    Case(
        "a path without a star does not cover what is below it",
        INVOKE,
        allow(Resource=f"{API}/*/GET/pets/a1b2"),
        invoke("test/GET/pets/a1b2/toys"),
        IMPLICITLY_DENIED,
    ),
]

NOW_KEY = "aws:CurrentTime"
TIMES = [
    Case(
        f"{operator} with a time {position}: {expected}",
        OPERATORS,
        allow_if(operator, NOW_KEY, limit),
        GET_PETS,
        expected,
    )
    for operator, before, at, after in (
        ("DateLessThan", IMPLICITLY_DENIED, IMPLICITLY_DENIED, ALLOWED),
        ("DateLessThanEquals", IMPLICITLY_DENIED, ALLOWED, ALLOWED),
        ("DateGreaterThan", ALLOWED, IMPLICITLY_DENIED, IMPLICITLY_DENIED),
        ("DateGreaterThanEquals", ALLOWED, ALLOWED, IMPLICITLY_DENIED),
        ("DateEquals", IMPLICITLY_DENIED, ALLOWED, IMPLICITLY_DENIED),
        ("DateNotEquals", ALLOWED, IMPLICITLY_DENIED, ALLOWED),
    )
    for position, limit, expected in (
        ("before now", "2020-06-30T11:59:59Z", before),
        ("that is now", "2020-06-30T12:00:00Z", at),
        ("after now", "2020-06-30T12:00:01Z", after),
    )
]

NUMBERS = [
    Case(
        f"{operator} with a number {position}: {expected}",
        KEYS,
        allow_if(operator, "aws:EpochTime", limit),
        GET_PETS,
        expected,
    )
    for operator, below, at, above in (
        ("NumericLessThan", IMPLICITLY_DENIED, IMPLICITLY_DENIED, ALLOWED),
        ("NumericLessThanEquals", IMPLICITLY_DENIED, ALLOWED, ALLOWED),
        ("NumericGreaterThan", ALLOWED, IMPLICITLY_DENIED, IMPLICITLY_DENIED),
        ("NumericGreaterThanEquals", ALLOWED, ALLOWED, IMPLICITLY_DENIED),
        ("NumericEquals", IMPLICITLY_DENIED, ALLOWED, IMPLICITLY_DENIED),
    )
    for position, limit, expected in (
        ("below now", NOON - 1, below),
        ("that is now", str(NOON), at),
        ("above now", NOON + 0.5, above),
    )
]

SPRING = {
    "DateGreaterThan": {NOW_KEY: "2020-04-01T00:00:00Z"},
    "DateLessThan": {NOW_KEY: "2020-06-30T23:59:59Z"},
}
OFFICES = ["192.0.2.0/24", "203.0.113.0/24"]
BOTH_VERSIONS = allow_if("IpAddress", "aws:SourceIp", ["203.0.113.0/24", "2001:DB8:1234:5678::/64"])
OUTSIDE_IS_DENIED = policy(
    statement("Allow"),
    statement("Deny", Condition={"NotIpAddress": {"aws:SourceIp": OFFICES}}),
)
PLAIN_HTTP_IS_DENIED = policy(
    statement("Allow"),
    statement("Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}),
)

CONDITIONS = [
    Case("within a range of times", DATES, allow(Condition=SPRING), GET_PETS, ALLOWED),
    Case(
        "operators must hold together",
        DATES,
        allow(Condition=SPRING),
        replace(GET_PETS, now=NOON + 86_400),
        IMPLICITLY_DENIED,
    ),
    Case(
        "keys of one operator must hold together",
        MULTIPLE,
        allow(Condition={"DateLessThan": {NOW_KEY: NOON + 1, "aws:EpochTime": NOON - 1}}),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "one of several values suffices",
        MULTIPLE,
        allow_if("DateEquals", NOW_KEY, [NOON - 1, NOON]),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a negated operator must hold for every value",
        MULTIPLE,
        allow_if("DateNotEquals", NOW_KEY, [NOON - 1, NOON]),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "a date may be given in seconds since the epoch",
        OPERATORS,
        allow_if("DateLessThan", NOW_KEY, str(NOON + 1)),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a date may have a fraction of a second",
        OPERATORS,
        allow_if("DateLessThan", NOW_KEY, "2020-06-30T12:00:00.25Z"),
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "the epoch time may be compared as a date",
        KEYS,
        allow_if("DateLessThan", "aws:EpochTime", "2020-06-30T12:00Z"),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "the name of a key is case-insensitive",
        CONDITION,
        allow_if("IpAddress", "AWS:sourceIP", "203.0.113.7"),
        GET_PETS,
        ALLOWED,
    ),
    Case("an address within a network", OPERATORS, BOTH_VERSIONS, GET_PETS, ALLOWED),
    Case(
        "an address outside a network",
        OPERATORS,
        BOTH_VERSIONS,
        replace(GET_PETS, source_address="203.0.114.0"),
        IMPLICITLY_DENIED,
    ),
    Case(
        "IPv4 and IPv6 networks may stand together",
        OPERATORS,
        BOTH_VERSIONS,
        replace(GET_PETS, source_address="2001:db8:1234:5678::1"),
        ALLOWED,
    ),
    Case(
        "an address without a prefix length is itself only",
        OPERATORS,
        allow_if("IpAddress", "aws:SourceIp", "203.0.113.6"),
        GET_PETS,
        IMPLICITLY_DENIED,
    ),
    Case(
        "a deny outside the networks spares those within",
        DENY_IP,
        OUTSIDE_IS_DENIED,
        GET_PETS,
        ALLOWED,
    ),
    Case(
        "a deny outside the networks denies the rest",
        DENY_IP,
        OUTSIDE_IS_DENIED,
        replace(GET_PETS, source_address="198.51.100.1"),
        EXPLICITLY_DENIED,
    ),
    Case(
        "a deny of plain HTTP denies it",
        OPERATORS,
        PLAIN_HTTP_IS_DENIED,
        GET_PETS,
        EXPLICITLY_DENIED,
    ),
    Case(
        "a deny of plain HTTP spares TLS",
        OPERATORS,
        PLAIN_HTTP_IS_DENIED,
        replace(GET_PETS, secure_transport=True),
        ALLOWED,
    ),
    Case(
        "a boolean needs no quotation marks",
        GRAMMAR,
        allow_if("Bool", "aws:SecureTransport", value=True),
        replace(GET_PETS, secure_transport=True),
        ALLOWED,
    ),
]

CASES = [*EFFECTS, *ACTIONS, *SLASHES, *RESOURCES, *TIMES, *NUMBERS, *CONDITIONS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fact)
def test_iam_documents(case: Case) -> None:
    assert evaluate(case.document, case.request) is case.expected, case.source


@pytest.mark.parametrize(
    "path", ["$connect", "GET/a.c", "GET/[ab]", "GET/a+", "GET/a|b", "GET/a\\"]
)
def test_what_a_regular_expression_would_read_is_literal(path: str) -> None:
    document = allow(Resource=f"{API}/test/{path}")
    assert evaluate(document, invoke(f"test/{path}")) is ALLOWED
    assert evaluate(document, invoke("test/GET/abc")) is IMPLICITLY_DENIED
    assert evaluate(document, invoke("test/GET/a")) is IMPLICITLY_DENIED


def test_a_newline_ends_no_resource() -> None:
    assert evaluate(allow(Resource=f"{API}/test/GET/pets"), invoke("test/GET/pets\n")) is (
        IMPLICITLY_DENIED
    )


@pytest.mark.parametrize("pattern", ["test/GET/*", "test/GET/a?b/c:d"])
def test_wildcards_match_newlines_and_colons(pattern: str) -> None:
    assert evaluate(allow(Resource=f"{API}/{pattern}"), invoke("test/GET/a\nb/c:d")) is ALLOWED


def test_a_letter_that_only_unicode_folds_is_another_action() -> None:
    kelvin = replace(GET_PETS, action="execute-api:\N{KELVIN SIGN}ick")
    assert evaluate(allow(Action="execute-api:kick"), kelvin) is IMPLICITLY_DENIED


@pytest.mark.parametrize(
    ("address", "network"),
    [
        pytest.param("203.0.113.7", "::/0", id="IPv4 in IPv6"),
        pytest.param("::ffff:203.0.113.7", "0.0.0.0/0", id="IPv6 in IPv4"),
    ],
)
def test_an_address_is_in_no_network_of_the_other_version(address: str, network: str) -> None:
    document = allow_if("IpAddress", "aws:SourceIp", network)
    request = replace(GET_PETS, source_address=address)
    assert evaluate(document, request) is IMPLICITLY_DENIED


def test_a_source_that_is_no_address_fails_where_a_condition_needs_it() -> None:
    with pytest.raises(ValueError, match="testclient"):
        evaluate(BOTH_VERSIONS, replace(GET_PETS, source_address="testclient"))


def test_the_first_deny_that_applies_decides() -> None:
    document = policy(
        statement("Allow"),
        statement("Deny", Action="s3:*"),
        statement("Deny", Resource=f"{API}/*"),
        statement("Deny"),
    )
    deciding = matching_statement(document, GET_PETS)
    assert deciding is not None
    assert (deciding.index, deciding.verdict) == (2, EXPLICITLY_DENIED)


def test_without_a_deny_the_first_allow_that_applies_decides() -> None:
    document = policy(statement("Deny", Action="s3:*"), statement("Allow"), statement("Allow"))
    deciding = matching_statement(document, GET_PETS)
    assert deciding is not None
    assert (deciding.index, deciding.verdict) == (1, ALLOWED)


def test_nothing_decides_where_nothing_applies() -> None:
    assert matching_statement(allow(Action="s3:*"), GET_PETS) is None


def without(member: str) -> dict[str, object]:
    members = statement("Allow")
    return policy({name: members[name] for name in members if name != member})


OF_CONDITION = "Statement[0].Condition"
REFUSED = [
    pytest.param(None, "policy", id="no policy"),
    pytest.param("{}", "policy", id="policy as text"),
    pytest.param([statement("Allow")], "policy", id="policy as list"),
    pytest.param({}, "policy", id="empty policy"),
    pytest.param({"Statement": [statement("Allow")]}, "policy", id="no version"),
    pytest.param({**allow(), "Version": "2008-10-17"}, "policy", id="older version"),
    pytest.param({**allow(), "Version": ["2012-10-17"]}, "policy", id="version as list"),
    pytest.param({**allow(), "Id": "x"}, "policy", id="policy id"),
    pytest.param({"Version": "2012-10-17"}, "Statement", id="no statement"),
    pytest.param(policy(), "Statement", id="empty list of statements"),
    pytest.param(policy(None), "Statement[0]", id="statement is null"),
    pytest.param(policy([statement("Allow")]), "Statement[0]", id="statements in a nested list"),
    pytest.param(policy(statement("Allow"), {}), "Statement[1]", id="empty statement"),
    pytest.param(allow(Principal="*"), "Statement[0]", id="principal"),
    pytest.param(allow(action="*"), "Statement[0]", id="member in lower case"),
    pytest.param(allow(Sid=1), "Statement[0].Sid", id="numeric statement id"),
    pytest.param(allow(Sid="a b"), "Statement[0].Sid", id="statement id with a space"),
    pytest.param(without("Effect"), "Statement[0].Effect", id="no effect"),
    pytest.param(allow(Effect="allow"), "Statement[0].Effect", id="effect in lower case"),
    pytest.param(allow(Effect=["Allow"]), "Statement[0].Effect", id="effect as list"),
    pytest.param(without("Action"), "Statement[0]", id="no action"),
    pytest.param(allow(NotAction="s3:*"), "Statement[0]", id="Action and NotAction"),
    pytest.param(allow(Action=[]), "Statement[0].Action", id="empty list of actions"),
    pytest.param(allow(Action=["*", 1]), "Statement[0].Action", id="numeric action"),
    pytest.param(allow(Action="Invoke"), "Statement[0].Action", id="action without service"),
    pytest.param(allow(Action="s*:Get"), "Statement[0].Action", id="wildcard in service"),
    pytest.param(allow(Action="s3:${aws:x}"), "Statement[0].Action", id="variable in action"),
    pytest.param(allow_not("Action", ""), "Statement[0].NotAction", id="empty NotAction"),
    pytest.param(without("Resource"), "Statement[0]", id="no resource"),
    pytest.param(allow(NotResource="*"), "Statement[0]", id="Resource and NotResource"),
    pytest.param(allow(Resource=[]), "Statement[0].Resource", id="empty list of resources"),
    pytest.param(allow(Resource=None), "Statement[0].Resource", id="resource is null"),
    pytest.param(
        allow(Resource=["*", f"{API}/x/GET/${{aws:userid}}"]),
        "Statement[0].Resource",
        id="variable in resource",
    ),
    pytest.param(
        allow(Resource=f"{API}/x/GET/a${{*}}"), "Statement[0].Resource", id="escaped star"
    ),
    pytest.param(
        allow(Resource=API.replace("aws", "${p}")),
        "Statement[0].Resource",
        id="variable in partition",
    ),
    pytest.param(
        allow(Resource="arn:aws:*:us-east-1:1:x"),
        "Statement[0].Resource",
        id="wildcard in service segment",
    ),
    pytest.param(
        allow(Resource="execute-api:/*"),
        "Statement[0].Resource",
        id="short form of resource policies",
    ),
    pytest.param(
        allow_not("Resource", "${aws:userid}"), "Statement[0].NotResource", id="only a variable"
    ),
    pytest.param(allow(Condition=None), OF_CONDITION, id="condition is null"),
    pytest.param(allow(Condition={}), OF_CONDITION, id="empty condition"),
    pytest.param(allow_if("StringLike", "aws:UserAgent", "x"), OF_CONDITION, id="unknown operator"),
    pytest.param(allow_if("IpAddressIfExists", "aws:SourceIp", "::1"), OF_CONDITION, id="IfExists"),
    pytest.param(
        allow_if("ForAllValues:IpAddress", "aws:SourceIp", "::1"), OF_CONDITION, id="set operator"
    ),
    pytest.param(
        allow_if("dateLessThan", NOW_KEY, NOON), OF_CONDITION, id="operator in lower case"
    ),
    pytest.param(
        allow(Condition={"IpAddress": {}}), f"{OF_CONDITION}.IpAddress", id="operator without key"
    ),
    pytest.param(
        allow_if("DateLessThan", "aws:TokenIssueTime", NOON),
        f"{OF_CONDITION}.DateLessThan.aws:TokenIssueTime",
        id="unknown key",
    ),
    *(
        pytest.param(allow_if(operator, key, value), f"{OF_CONDITION}.{operator}.{key}", id=fault)
        for fault, operator, key, value in (
            ("number of a date", "NumericLessThan", NOW_KEY, NOON),
            ("no values", "DateLessThan", NOW_KEY, []),
            ("value is null", "DateLessThan", NOW_KEY, None),
            ("variable in value", "DateLessThan", NOW_KEY, "${aws:CurrentTime}"),
            ("date is a boolean", "DateLessThan", NOW_KEY, True),
            ("date is endless", "DateLessThan", NOW_KEY, float("inf")),
            ("date is no number", "DateLessThan", NOW_KEY, float("nan")),
            ("date without time", "DateLessThan", NOW_KEY, "2020-06-30"),
            ("date without zone", "DateLessThan", NOW_KEY, "2020-06-30T12:00:00"),
            ("date with an offset", "DateLessThan", NOW_KEY, "2020-06-30T12:00:00+02:00"),
            ("date that does not exist", "DateLessThan", NOW_KEY, "2020-02-30T12:00:00Z"),
            ("second value is malformed", "DateLessThan", NOW_KEY, [NOON, "soon"]),
            ("number as a power", "NumericEquals", "aws:EpochTime", "1e9"),
            ("number as a date", "NumericEquals", "aws:EpochTime", "2020-06-30T12:00:00Z"),
            ("address is a number", "IpAddress", "aws:SourceIp", 1),
            ("address out of range", "IpAddress", "aws:SourceIp", "256.0.0.1"),
            ("network with host bits", "IpAddress", "aws:SourceIp", "192.0.2.1/24"),
            ("network with a mask", "IpAddress", "aws:SourceIp", "192.0.2.0/255.255.255.0"),
            ("prefix too long", "NotIpAddress", "aws:SourceIp", "192.0.2.0/33"),
            ("boolean as a word", "Bool", "aws:SecureTransport", "yes"),
            ("boolean as a number", "Bool", "aws:SecureTransport", 1),
        )
    ),
]


@pytest.mark.parametrize(("document", "member"), REFUSED)
def test_a_policy_that_is_malformed_or_not_supported_is_refused(
    document: object, member: str
) -> None:
    with pytest.raises(UnsupportedPolicy) as refused:
        evaluate(document, GET_PETS)
    assert refused.value.member == member
    assert str(refused.value).startswith(f"{member}: ")


def test_a_fault_is_refused_even_where_the_request_would_not_come_to_it() -> None:
    faulty = statement("Allow", Action="s3:*", Condition={"Null": {"aws:SourceIp": "true"}})
    with pytest.raises(UnsupportedPolicy) as refused:
        evaluate(policy(statement("Deny"), faulty), GET_PETS)
    assert refused.value.member == "Statement[1].Condition"


LITERALS = st.text(alphabet="ab/:.[]()^$}+|\\-\n", max_size=5)


@given(LITERALS, LITERALS)
def test_a_resource_without_wildcards_matches_only_itself(path: str, other: str) -> None:
    document = allow(Resource=f"{API}/{path}")
    assert evaluate(document, invoke(path)) is ALLOWED
    assert (evaluate(document, invoke(other)) is ALLOWED) == (path == other)


STATEMENTS = st.builds(
    statement,
    st.sampled_from(["Allow", "Deny"]),
    Action=st.sampled_from(["*", "execute-api:Invoke", "s3:*"]),
    Resource=st.sampled_from(["*", f"{API}/test/*", f"{API}/prod/*"]),
)


@given(st.lists(STATEMENTS, max_size=4), st.integers(0, 4))
def test_an_explicit_deny_wins_wherever_it_stands(
    statements: list[dict[str, object]], position: int
) -> None:
    statements.insert(position, statement("Deny", Resource=GET_PETS.resource))
    assert evaluate(policy(*statements), GET_PETS) is EXPLICITLY_DENIED


AFTER_ONE_MORE_ALLOW = {
    ALLOWED: {ALLOWED},
    EXPLICITLY_DENIED: {EXPLICITLY_DENIED},
    IMPLICITLY_DENIED: {ALLOWED, IMPLICITLY_DENIED},
}


@given(st.lists(STATEMENTS, min_size=1, max_size=4), STATEMENTS, st.integers(0, 4))
def test_one_more_allow_changes_only_what_nothing_decided(
    statements: list[dict[str, object]], more: dict[str, object], position: int
) -> None:
    before = evaluate(policy(*statements), GET_PETS)
    statements.insert(position, {**more, "Effect": "Allow"})
    assert evaluate(policy(*statements), GET_PETS) in AFTER_ONE_MORE_ALLOW[before]


def matches_by_definition(pattern: str, text: str) -> bool:
    """Match letter by letter: slow, and short enough to be read as the definition."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(
            matches_by_definition(pattern[1:], text[length:]) for length in range(len(text) + 1)
        )
    first_fits = pattern[0] in {"?", text[:1]}
    return bool(text) and first_fits and matches_by_definition(pattern[1:], text[1:])


@given(st.text(alphabet="ab*?/", max_size=7), st.text(alphabet="ab*?/", max_size=7))
def test_wildcards_match_by_their_definition(pattern: str, text: str) -> None:
    matched = wildcard_expression(pattern).fullmatch(text) is not None
    assert matched == matches_by_definition(pattern, text)


def test_many_stars_do_not_hang() -> None:
    document = allow(Resource=f"{API}/" + "a*" * 200 + "b")
    assert evaluate(document, invoke("a" * 2_000)) is IMPLICITLY_DENIED


@pytest.mark.parametrize(
    ("key", "is_private", "verdict"),
    [
        ("aws:SourceIp", False, Verdict.ALLOWED),
        ("aws:VpcSourceIp", True, Verdict.ALLOWED),
        ("aws:SourceIp", True, Verdict.IMPLICITLY_DENIED),
        ("aws:VpcSourceIp", False, Verdict.IMPLICITLY_DENIED),
    ],
)
def test_a_vpc_endpoint_gives_an_address_under_another_key(
    key: str, *, is_private: bool, verdict: Verdict
) -> None:
    document = allow_if("IpAddress", key, "203.0.113.0/24")
    assert evaluate(document, replace(GET_PETS, is_private=is_private)) is verdict
