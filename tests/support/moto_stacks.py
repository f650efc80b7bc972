"""What moto's CloudFormation lacks: outputs of executed change sets, SAM, and some types."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final, cast
from unittest.mock import patch

from moto.cloudformation import models, parsing
from moto.cloudformation.models import CloudFormationBackend
from moto.core.common_models import CloudFormationModel

from keyscope_local.emulators.tables import REGION, local_client
from keyscope_local.template.stack import translate

_EXECUTE = CloudFormationBackend.execute_change_set
_DELETE = models.Stack.delete


def _execute(
    self: CloudFormationBackend, change_set_name: str, stack_name: str | None = None
) -> None:
    _EXECUTE(self, change_set_name, stack_name)
    change_set = self.change_sets[change_set_name]
    stack = change_set.stack
    stack.template_dict = change_set.template_dict
    stack.description = stack.template_dict.get("Description")
    stack.parameters = stack.resource_map.resolved_parameters
    stack.output_map = stack._create_output_map()  # noqa: SLF001 - as moto's own update does
    self.exports.update({export.name: export for export in stack.exports})


def _delete(self: models.Stack) -> None:
    _DELETE(self)
    # Else a deleted stack would ask the deleted functions for their ARNs.
    self.template_dict = {}
    self.output_map = self._create_output_map()


@contextmanager
def whole_change_sets() -> Iterator[None]:
    """Let stacks of executed change sets have their description, parameters and outputs."""
    with (
        patch.object(CloudFormationBackend, "execute_change_set", _execute),
        patch.object(models.Stack, "delete", _delete),
    ):
        yield


Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """What a reference to a resource gives: its physical id, and its attributes."""

    reference: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class _Model(CloudFormationModel):
    """A resource that an API of moto's made, though its CloudFormation does not know the type."""

    make: ClassVar[Callable[[str, Json], Made]]

    def __init__(self, made: Made) -> None:
        self.made = made

    @property
    def physical_resource_id(self) -> str:
        return self.made.reference

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "Keyscope::Tests::Model"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return bool(attr)

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], *_: object, **__: object
    ) -> CloudFormationModel:
        return cls(cls.make(resource_name, cloudformation_json["Properties"]))

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: object, *_: object, **__: object
    ) -> object:
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(cls, *_: object, **__: object) -> None:
        """Leave what its API made."""

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.made.attributes[attribute_name]


@contextmanager
def serverless_stacks(url: str) -> Iterator[None]:
    """Let moto deploy Keyscope's packaged template: with SAM's transform, and every type in it.

    `url` is that of moto's server, through whose APIs the resources are made.
    """
    create, known = CloudFormationBackend.create_change_set, parsing.resource_class_from_type

    def transformed(self: CloudFormationBackend, **request: Any) -> tuple[str, str]:  # noqa: ANN401 - moto's own
        template, parameters = json.loads(request.pop("template")), request["parameters"]
        defaults = {}
        for name, each in template["Parameters"].items():
            if "Default" in each:
                # CloudFormation passes numbers on as texts; moto passes on what it reads.
                defaults[name] = each["Default"] = str(each["Default"])
        text = json.dumps(translate(template, {**defaults, **parameters}))
        return create(self, template=text, **request)

    def class_of(kind: str) -> type[CloudFormationModel]:
        if kind not in _MAKERS:
            return known(kind)
        return type(f"Of{kind}", (_Model,), {"make": partial(_MAKERS[kind], _Apis(url))})

    with (
        whole_change_sets(),
        patch.object(CloudFormationBackend, "create_change_set", transformed),
        patch.object(parsing, "resource_class_from_type", class_of),
        # Its own way reads YAML in pure Python, which takes half a minute.
        patch.object(models.ChangeSet, "_parse_template", _read_change_set),
        patch.object(models.Stack, "parse_template", staticmethod(json.loads)),
    ):
        yield


def _read_change_set(self: models.ChangeSet) -> None:
    self.template_dict = json.loads(self.template)


@dataclass(frozen=True, slots=True)
class _Apis:
    """Clients of moto's server."""

    url: str

    def client(self, name: str) -> Any:  # noqa: ANN401 - botocore ships no types
        return cast("Any", local_client(name, self.url))


def _table(apis: _Apis, name: str, properties: Json) -> Made:
    client, (replica, *_) = apis.client("dynamodb"), properties["Replicas"]
    copied = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    made = client.create_table(
        TableName=name,
        DeletionProtectionEnabled=replica["DeletionProtectionEnabled"] == "true",
        **{each: properties[each] for each in copied},
    )
    client.update_continuous_backups(
        TableName=name,
        PointInTimeRecoverySpecification=replica["PointInTimeRecoverySpecification"],
    )
    client.update_time_to_live(
        TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
    )
    return Made(name, {"Arn": made["TableDescription"]["TableArn"]})


def _key(apis: _Apis, _: str, properties: Json) -> Made:
    client = apis.client("kms")
    made = client.create_key(Policy=json.dumps(properties["KeyPolicy"]))["KeyMetadata"]
    client.enable_key_rotation(KeyId=made["KeyId"])
    return Made(made["KeyId"], {"Arn": made["Arn"]})


def _function(apis: _Apis, name: str, properties: Json) -> Made:
    made = apis.client("lambda").create_function(
        FunctionName=name,
        **{
            each: properties[each]
            for each in ("Code", "Handler", "Role", "Runtime", "Environment", "Timeout")
            if each in properties
        },
        Layers=[layer.arn for layer in properties.get("Layers", []) if layer],
    )
    return Made(name, {"Arn": made["FunctionArn"]})


def _version(apis: _Apis, _: str, properties: Json) -> Made:
    made = apis.client("lambda").publish_version(FunctionName=properties["FunctionName"])
    return Made(made["FunctionArn"], {"Version": made["Version"]})


def _alias(apis: _Apis, _: str, properties: Json) -> Made:
    made = apis.client("lambda").create_alias(
        **{each: properties[each] for each in ("FunctionName", "FunctionVersion", "Name")}
    )
    return Made(made["AliasArn"])


def _rest_api(apis: _Apis, name: str, properties: Json) -> Made:
    client = apis.client("apigateway")
    api = client.create_rest_api(name=name)["id"]
    for each, scheme in properties["Body"]["components"]["securitySchemes"].items():
        attached = scheme["x-amazon-apigateway-authorizer"]
        client.create_authorizer(
            restApiId=api,
            name=each,
            type="REQUEST",
            authorizerUri=attached["authorizerUri"],
            identitySource=attached["identitySource"],
            authorizerResultTtlInSeconds=int(attached["authorizerResultTtlInSeconds"]),
        )
    return Made(api, {"RootResourceId": "root"})


_WHOLE: Final = ("DatapointsToAlarm", "EvaluationPeriods", "Period")


def _alarm(apis: _Apis, name: str, properties: Json) -> Made:
    whole = {each: int(properties[each]) for each in _WHOLE if each in properties}
    request = {**properties, **whole, "AlarmName": name}
    if "Threshold" in request:
        request["Threshold"] = float(request["Threshold"])
    apis.client("cloudwatch").put_metric_alarm(**request)
    return Made(name, {"Arn": f"arn:aws:cloudwatch:{REGION}:123456789012:alarm:{name}"})


def _nothing(_: _Apis, name: str, __: Json) -> Made:
    """Make only the name of something that no test of the deployed stack asks for."""
    return Made(name, {"Arn": f"arn:aws:nothing:{REGION}:123456789012:{name}"})


_MAKERS: Final[Mapping[str, Callable[[_Apis, str, Json], Made]]] = {
    "AWS::ApiGateway::Deployment": _nothing,
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _nothing,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _nothing,
    "AWS::DynamoDB::GlobalTable": _table,
    "AWS::Events::Rule": _nothing,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::EventSourceMapping": _nothing,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _nothing,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::MetricFilter": _nothing,
    "AWS::Logs::QueryDefinition": _nothing,
    "AWS::Logs::SubscriptionFilter": _nothing,
    "AWS::SQS::QueuePolicy": _nothing,
}
"""What makes the types that moto's CloudFormation does not make, or not as AWS does."""
