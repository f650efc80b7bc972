from collections.abc import Mapping

import pytest

from keyscope_local.template.intrinsics import Json, Resolver, TemplateError

RESOURCES: Mapping[str, Json] = {
    "Table": {"Type": "AWS::DynamoDB::Table"},
    "Function": {"Type": "AWS::Lambda::Function"},
    "Alias": {
        "Type": "AWS::Lambda::Alias",
        "Properties": {"Name": "live", "FunctionName": {"Ref": "Function"}},
    },
    "LogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/a/b"}},
    "Queue": {"Type": "AWS::SQS::Queue"},
    "NamedQueue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "own"}},
    "Topic": {"Type": "AWS::SNS::Topic"},
}
RESOLVER = Resolver(
    parameters={"Stage": "prod", "Empty": ""},
    conditions={
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
        "Either": {"Fn::Or": [{"Condition": "IsDev"}, {"Condition": "IsProd"}]},
        "Both": {"Fn::And": [{"Condition": "IsDev"}, {"Condition": "IsProd"}]},
        "NotDev": {"Fn::Not": [{"Condition": "IsDev"}]},
    },
    resources=RESOURCES,
)


def resolved(value: object) -> object:
    return RESOLVER.resolve(value, "here")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("text", "text", id="plain text"),
        pytest.param([1, True, None], [1, True, None], id="plain values"),
        pytest.param({"Ref": "Stage"}, "prod", id="a parameter"),
        pytest.param({"Ref": "Empty"}, "", id="an empty parameter"),
        pytest.param({"Ref": "AWS::Region"}, "us-east-1", id="a pseudo parameter"),
        pytest.param({"Ref": "Table"}, "keyscope-local-Table", id="a resource"),
        pytest.param(
            {"Ref": "Alias"},
            "arn:aws:lambda:us-east-1:123456789012:function:keyscope-local-Function:live",
            id="an alias",
        ),
        pytest.param({"Ref": "LogGroup"}, "/a/b", id="a resource with a name of its own"),
        pytest.param(
            {"Fn::GetAtt": ["Table", "Arn"]},
            "arn:aws:dynamodb:us-east-1:123456789012:table/keyscope-local-Table",
            id="an attribute",
        ),
        pytest.param(
            {"Fn::GetAtt": "LogGroup.Arn"},
            "arn:aws:logs:us-east-1:123456789012:log-group:/a/b:*",
            id="an attribute in short",
        ),
        pytest.param(
            {"Ref": "Queue"},
            "https://sqs.us-east-1.amazonaws.com/123456789012/keyscope-local-Queue",
            id="a queue, which is referred to by its URL",
        ),
        pytest.param(
            {"Fn::GetAtt": "Queue.Arn"},
            "arn:aws:sqs:us-east-1:123456789012:keyscope-local-Queue",
            id="a queue's ARN",
        ),
        pytest.param({"Fn::GetAtt": "Queue.QueueName"}, "keyscope-local-Queue", id="its name"),
        pytest.param(
            {"Ref": "NamedQueue"},
            "https://sqs.us-east-1.amazonaws.com/123456789012/own",
            id="a queue with a name of its own",
        ),
        pytest.param({"Fn::Sub": "${Stage}/${AWS::Partition}"}, "prod/aws", id="Sub of names"),
        pytest.param(
            {"Fn::Sub": "${Table.Arn}/index"},
            "arn:aws:dynamodb:us-east-1:123456789012:table/keyscope-local-Table/index",
            id="Sub of an attribute",
        ),
        pytest.param(
            {"Fn::Sub": ["${Own}-${Stage}", {"Own": {"Ref": "AWS::Region"}}]},
            "us-east-1-prod",
            id="Sub with variables of its own",
        ),
        pytest.param({"Fn::Sub": "${!Stage}"}, "${Stage}", id="Sub of a literal"),
        pytest.param({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-prod", id="Join"),
        pytest.param({"Fn::Split": ["r", {"Ref": "Stage"}]}, ["p", "od"], id="Split"),
        pytest.param(
            {"Fn::Select": ["1", {"Fn::Split": ["r", {"Ref": "Stage"}]}]}, "od", id="Select"
        ),
        pytest.param({"Fn::If": ["IsProd", "yes", "no"]}, "yes", id="If that holds"),
        pytest.param({"Fn::If": ["IsDev", "yes", {"Ref": "Stage"}]}, "prod", id="If that does not"),
        pytest.param(
            {"a": {"Fn::If": ["IsDev", 1, {"Ref": "AWS::NoValue"}]}, "b": 2},
            {"b": 2},
            id="a member without a value",
        ),
        pytest.param([{"Ref": "AWS::NoValue"}, 1], [1], id="an item without a value"),
        pytest.param({"Ref": "Stage", "More": 1}, {"Ref": "Stage", "More": 1}, id="no function"),
    ],
)
def test_a_value_is_resolved(value: object, expected: object) -> None:
    assert resolved(value) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("IsProd", True), ("IsDev", False), ("Either", True), ("Both", False), ("NotDev", True)],
)
def test_a_condition_is_evaluated(condition: str, *, expected: bool) -> None:
    assert RESOLVER.holds(condition, "here") is expected


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"Ref": "Nothing"}, "there is no parameter or resource 'Nothing'"),
        ({"Ref": "Topic"}, "Ref of Topic, a AWS::SNS::Topic, is not known here"),
        ({"Fn::GetAtt": ["Table", "StreamArn"]}, "StreamArn of Table"),
        ({"Fn::Sub": "${Nothing}"}, "there is no parameter or resource 'Nothing'"),
        ({"Fn::Sub": ["${A}", {"A": ["list"]}]}, "text was expected"),
        ({"Fn::Join": ["-", "ab"]}, "a list was expected"),
        ({"Fn::FindInMap": ["a", "b", "c"]}, "the function Fn::FindInMap is not supported"),
        ({"Fn::If": ["Nowhere", 1, 2]}, "there is no condition 'Nowhere'"),
    ],
)
def test_what_is_not_known_is_refused_by_place_and_name(value: object, told: str) -> None:
    with pytest.raises(TemplateError) as refused:
        resolved({"Outer": [value]})
    assert str(refused.value).startswith("here.Outer[0]")
    assert told in str(refused.value)


def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(TemplateError, match="not a supported condition"):
        RESOLVER.holds({"Fn::Contains": [["a"], "a"]}, "here")


def test_a_reference_is_known_for_some_resources_only() -> None:
    assert RESOLVER.has_reference("Table")
    assert not RESOLVER.has_reference("Topic")
