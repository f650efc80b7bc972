"""Resolves CloudFormation's intrinsic functions to the values that a deployed stack would see.

It supports the functions that this project's template and SAM's translation of it use, and rejects
all others by name: a guessed value would make the local run differ from AWS.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

Json = Mapping[str, object]

PSEUDO_PARAMETERS: Final = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "keyscope-local",
    "AWS::URLSuffix": "amazonaws.com",
}
_ACCOUNT = f"{PSEUDO_PARAMETERS['AWS::Region']}:{PSEUDO_PARAMETERS['AWS::AccountId']}"
_STACK = PSEUDO_PARAMETERS["AWS::StackName"]
_NO_VALUE: Final = object()
_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


class TemplateError(Exception):
    """The template is not supported here, or contradicts itself; the text says where."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves the values of one template. `parameters` contains each parameter's value.

    `imports` contains the exports of another stack, by the part of the name after that stack's own.
    """

    parameters: Mapping[str, str]
    conditions: Json
    resources: Mapping[str, Json]
    imports: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, value: object, where: str) -> object:
        """Return a value with every intrinsic function in it replaced.

        `where` names the place, for errors.

        Raises:
            TemplateError: for an unknown function, name or attribute.
        """
        resolved = self._resolve(value, where)
        return None if resolved is _NO_VALUE else resolved

    def text(self, value: object, where: str) -> str:
        """Resolve a value that must be text or a number; return it as text.

        Raises:
            TemplateError: it is something else.
        """
        return text_of(self._resolve(value, where), where)

    def holds(self, condition: object, where: str) -> bool:
        """Evaluate a condition: its name, or one of the condition functions.

        Raises:
            TemplateError: it is neither.
        """
        if isinstance(condition, str):
            if condition not in self.conditions:
                message = f"{where}: there is no condition {condition!r}"
                raise TemplateError(message)
            return self.holds(self.conditions[condition], f"Conditions.{condition}")
        name, argument = _function(condition) or ("", None)
        match name:
            case "Condition":
                return self.holds(argument, where)
            case "Fn::Equals":
                left, right = _list(argument, where, 2)
                return self.text(left, where) == self.text(right, where)
            case "Fn::Not":
                (negated,) = _list(argument, where, 1)
                return not self.holds(negated, where)
            case "Fn::And":
                return all(self.holds(part, where) for part in _list(argument, where))
            case "Fn::Or":
                return any(self.holds(part, where) for part in _list(argument, where))
            case _:
                message = f"{where}: {condition!r} is not a supported condition"
                raise TemplateError(message)

    def reference(self, name: str, where: str) -> object:
        """Return what `Ref` returns for a parameter, a pseudo parameter or a resource."""
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name in self.parameters:
            return self.parameters[name]
        return self._of_resource(name, "Ref", where)

    def has_reference(self, name: str) -> bool:
        """Return whether `Ref` of a resource is known here."""
        return (str(self.resources[name]["Type"]), "Ref") in _ATTRIBUTES

    def _resolve(self, value: object, where: str) -> object:
        if isinstance(value, list):
            items = [self._resolve(item, f"{where}[{index}]") for index, item in enumerate(value)]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if found := _function(value):
            return self._apply(*found, where)
        members = {name: self._resolve(member, f"{where}.{name}") for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not _NO_VALUE}

    def _apply(self, name: str, argument: object, where: str) -> object:
        match name:
            case "Ref":
                return self.reference(str(argument), where)
            case "Fn::GetAtt":
                parts = argument.split(".", 1) if isinstance(argument, str) else argument
                resource, attribute = _list(parts, where, 2)
                return self._of_resource(str(resource), str(attribute), where)
            case "Fn::Sub":
                return self._substitute(argument, where)
            case "Fn::Join" | "Fn::Split" | "Fn::Select":
                return self._of_list(name, *_list(argument, where, 2), where=where)
            case "Fn::ImportValue":
                return self._import(self.text(argument, where), where)
            case "Fn::If":
                condition, if_true, if_false = _list(argument, where, 3)
                chosen = if_true if self.holds(condition, where) else if_false
                return self._resolve(chosen, where)
            case _:
                message = f"{where}: the function {name} is not supported here"
                raise TemplateError(message)

    def _of_list(self, name: str, first: object, second: object, *, where: str) -> object:
        if name == "Fn::Split":
            return self.text(second, where).split(str(first))
        items = _list(self._resolve(second, where), where)
        if name == "Fn::Select":
            index = self.text(first, where)
            if not index.isdecimal() or int(index) >= len(items):
                message = f"{where}: Fn::Select finds no item {index!r}"
                raise TemplateError(message)
            return items[int(index)]
        return str(first).join(self.text(item, where) for item in items)

    def _import(self, name: str, where: str) -> str:
        for ending, value in self.imports.items():
            if name.endswith(f"-{ending}"):
                return value
        message = f"{where}: there is no export {name!r} here"
        raise TemplateError(message)

    def _substitute(self, argument: object, where: str) -> str:
        template, variables = (
            (argument, {}) if isinstance(argument, str) else _list(argument, where, 2)
        )
        own = cast("Json", variables)

        def value_of(found: re.Match[str]) -> str:
            name = found[1]
            if name in own:
                return self.text(own[name], where)
            resource, _, attribute = name.partition(".")
            if attribute:
                return self._of_resource(resource, attribute, where)
            return text_of(self.reference(name, where), where)

        # `${!name}` is an escaped literal `${name}`.
        return _VARIABLE.sub(value_of, str(template)).replace("${!", "${")

    def _of_resource(self, name: str, attribute: str, where: str) -> str:
        if name not in self.resources:
            message = f"{where}: there is no parameter or resource {name!r}"
            raise TemplateError(message)
        resource = self.resources[name]
        kind = str(resource["Type"])
        if (kind, attribute) not in _ATTRIBUTES:
            message = f"{where}: {attribute} of {name}, a {kind}, is not known here"
            raise TemplateError(message)
        properties = cast("Json", resource.get("Properties", {}))
        return _ATTRIBUTES[kind, attribute](name, properties, self)


def _function(value: object) -> tuple[str, object] | None:
    """Return an intrinsic function's name and argument, or `None` for plain data."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    ((name, argument),) = value.items()
    is_function = name in ("Ref", "Condition") or str(name).startswith("Fn::")
    return (str(name), argument) if is_function else None


def _list(value: object, where: str, length: int | None = None) -> Sequence[object]:
    if not isinstance(value, list) or length not in (None, len(value)):
        of = "" if length is None else f" of {length}"
        message = f"{where}: a list{of} was expected, not {value!r}"
        raise TemplateError(message)
    return value


def text_of(value: object, where: str) -> str:
    """Return text, or what CloudFormation makes of a number or boolean without quotes.

    Raises:
        TemplateError: it is something else; `where` names the place.
    """
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case _:
            message = f"{where}: text was expected, not {value!r}"
            raise TemplateError(message)


def is_true(value: object) -> bool:
    """Return whether a value is true, which a template may write with or without quotes."""
    return str(value).lower() == "true"


def whole_number(value: object, where: str) -> int:
    """Return a whole number, which a template may write with or without quotes.

    Raises:
        TemplateError: it is something else; `where` names the place.
    """
    text = text_of(value, where)
    if not re.fullmatch(r"[0-9]+(\.0+)?", text):
        message = f"{where}: a whole number was expected, not {value!r}"
        raise TemplateError(message)
    return int(text.partition(".")[0])


def _stable(name: str, length: int) -> str:
    """Return letters and digits that stay the same from run to run."""
    return hashlib.sha256(f"{_STACK}/{name}".encode()).hexdigest()[:length]


def _named(pattern: str) -> Callable[[str, Json, Resolver], str]:
    return lambda name, _properties, _resolver: pattern.format(name=name)


def _property(member: str) -> Callable[[str, Json, Resolver], str]:
    return lambda name, properties, resolver: resolver.text(
        properties[member], f"Resources.{name}.Properties.{member}"
    )


def _log_group_arn(name: str, properties: Json, resolver: Resolver) -> str:
    group = _property("LogGroupName")(name, properties, resolver)
    return f"arn:aws:logs:{_ACCOUNT}:log-group:{group}:*"


def _alias_arn(name: str, properties: Json, resolver: Resolver) -> str:
    function = _property("FunctionName")(name, properties, resolver)
    alias = _property("Name")(name, properties, resolver)
    return f"arn:aws:lambda:{_ACCOUNT}:function:{function}:{alias}"


def _queue_name(name: str, properties: Json, resolver: Resolver) -> str:
    if "QueueName" not in properties:
        return f"{_STACK}-{name}"
    return _property("QueueName")(name, properties, resolver)


def _queue_arn(name: str, properties: Json, resolver: Resolver) -> str:
    return f"arn:aws:sqs:{_ACCOUNT}:{_queue_name(name, properties, resolver)}"


def _queue_url(name: str, properties: Json, resolver: Resolver) -> str:
    """Return the URL of a queue at AWS; a client sends it to its own endpoint."""
    region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
    queue = _queue_name(name, properties, resolver)
    return f"https://sqs.{region}.{PSEUDO_PARAMETERS['AWS::URLSuffix']}/{account}/{queue}"


def _function_name(name: str, properties: Json, resolver: Resolver) -> str:
    if "FunctionName" not in properties:
        return f"{_STACK}-{name}"
    return _property("FunctionName")(name, properties, resolver)


def _function_arn(name: str, properties: Json, resolver: Resolver) -> str:
    return f"arn:aws:lambda:{_ACCOUNT}:function:{_function_name(name, properties, resolver)}"


def _api_id(name: str, _properties: Json, _resolver: Resolver) -> str:
    return _stable(name, 10)


_ATTRIBUTES: Final[Mapping[tuple[str, str], Callable[[str, Json, Resolver], str]]] = {
    ("AWS::ApiGateway::ApiKey", "APIKeyId"): _api_id,
    ("AWS::ApiGateway::ApiKey", "Ref"): _api_id,
    ("AWS::ApiGateway::Deployment", "Ref"): _named("{name}"),
    ("AWS::ApiGateway::RestApi", "Ref"): _api_id,
    ("AWS::ApiGateway::Stage", "Ref"): _property("StageName"),
    ("AWS::ApiGateway::UsagePlan", "Id"): _api_id,
    ("AWS::ApiGateway::UsagePlan", "Ref"): _api_id,
    ("AWS::ApiGateway::UsagePlanKey", "Ref"): _api_id,
    ("AWS::ApiGatewayV2::Api", "Ref"): _api_id,
    ("AWS::CloudWatch::Alarm", "Ref"): _named(f"{_STACK}-{{name}}"),
    ("AWS::CodeDeploy::Application", "Ref"): _named(f"{_STACK}-{{name}}"),
    ("AWS::CodeDeploy::DeploymentGroup", "Ref"): _named(f"{_STACK}-{{name}}"),
    ("AWS::DynamoDB::GlobalTable", "Arn"): _named(
        f"arn:aws:dynamodb:{_ACCOUNT}:table/{_STACK}-{{name}}"
    ),
    ("AWS::DynamoDB::GlobalTable", "Ref"): _named(f"{_STACK}-{{name}}"),
    ("AWS::DynamoDB::Table", "Arn"): _named(f"arn:aws:dynamodb:{_ACCOUNT}:table/{_STACK}-{{name}}"),
    ("AWS::DynamoDB::Table", "Ref"): _named(f"{_STACK}-{{name}}"),
    ("AWS::Events::Rule", "Arn"): _named(f"arn:aws:events:{_ACCOUNT}:rule/{_STACK}-{{name}}"),
    ("AWS::IAM::Role", "Arn"): _named(
        f"arn:aws:iam::{PSEUDO_PARAMETERS['AWS::AccountId']}:role/{_STACK}-{{name}}"
    ),
    ("AWS::IAM::Role", "Ref"): _named(f"{_STACK}-{{name}}"),
    ("AWS::KMS::Key", "Arn"): lambda name, _properties, _resolver: (
        f"arn:aws:kms:{_ACCOUNT}:key/{_stable(name, 32)}"
    ),
    ("AWS::KMS::Key", "Ref"): lambda name, _properties, _resolver: _stable(name, 32),
    ("AWS::Lambda::Alias", "Ref"): _alias_arn,
    ("AWS::Lambda::Function", "Arn"): _function_arn,
    ("AWS::Lambda::Function", "Ref"): _function_name,
    ("AWS::Lambda::LayerVersion", "Ref"): _named(f"arn:aws:lambda:{_ACCOUNT}:layer:{{name}}:1"),
    ("AWS::Lambda::Version", "Version"): _named("1"),
    ("AWS::Logs::LogGroup", "Arn"): _log_group_arn,
    ("AWS::Logs::LogGroup", "Ref"): _property("LogGroupName"),
    ("AWS::SQS::Queue", "Arn"): _queue_arn,
    ("AWS::SQS::Queue", "QueueName"): _queue_name,
    ("AWS::SQS::Queue", "Ref"): _queue_url,
}
