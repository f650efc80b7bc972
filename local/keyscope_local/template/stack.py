"""The SAM template as AWS deploys it: translated by SAM's own translator, with values resolved.

The account is 123456789012, the Region is us-east-1, and the stack is keyscope-local.
"""

import copy
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final, cast

from boto3 import Session
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from yaml import YAMLError

from keyscope_local.template.intrinsics import (
    PSEUDO_PARAMETERS,
    Json,
    Resolver,
    TemplateError,
    text_of,
)
from keyscope_local.template.yaml_reader import parse_yaml

LOCAL_BUCKET: Final = "local"
"""SAM translates only uploaded code, so each code folder becomes an object in this bucket."""
_ROOT_BUCKET: Final = "local-root"
"""The bucket of absolute paths, which lose their first slash as the keys of objects."""
_CODE_PROPERTIES: Final = ("CodeUri", "ContentUri")
MISSHAPEN: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a template raises where a part of it has another shape than AWS documents."""
_SECTIONS: Final = ("Conditions", "Globals", "Outputs", "Parameters", "Resources", "Rules")


@dataclass(frozen=True, slots=True)
class Stack:
    """A template after translation, with every value resolved.

    `resources` maps logical ids to `{"Type", "Properties", ...}`. Resources and outputs whose
    condition is false are left out. `exports` are keyed by their names without the stack's name.
    `folder` contains the template. `attached` are the logical ids of the resources that another
    template added, whose own exports are not in `exports`.
    """

    folder: Path
    parameters: Mapping[str, str]
    resources: Mapping[str, Json]
    physical_ids: Mapping[str, str]
    outputs: Mapping[str, str]
    exports: Mapping[str, str]
    attached: frozenset[str] = frozenset()


def load_stack(
    template: Path,
    parameters: Mapping[str, str] | None = None,
    imports: Mapping[str, str] | None = None,
) -> Stack:
    """Load a template with the given parameters; the others have their defaults.

    `imports` are another stack's exports.

    Raises:
        TemplateError: the file is not a template, a parameter breaks its own or the template's
            rules, SAM rejects the template, or it uses what the local run does not support.
    """
    source = read_template(template)
    try:
        return _loaded(source, template.parent, parameters or {}, imports or {})
    except MISSHAPEN as error:
        message = f"{template} cannot be read: {type(error).__name__}: {error}"
        raise TemplateError(message) from error


def _loaded(
    source: Mapping[str, object],
    folder: Path,
    parameters: Mapping[str, str],
    imports: Mapping[str, str],
) -> Stack:
    values = _parameter_values(_section(source, "Parameters"), parameters)
    translated = translate(source, values)
    resolver = Resolver(
        values,
        _section(translated, "Conditions"),
        _resources(_section(translated, "Resources")),
        imports,
    )
    _refuse_websockets(resolver.resources)
    _check_rules(_section(translated, "Rules"), resolver)
    present = {
        name: resource
        for name, resource in resolver.resources.items()
        if _is_present(resource, resolver, f"Resources.{name}")
    }
    resolver = replace(resolver, resources=present)
    outputs = {
        name: cast("Json", resolver.resolve(output, f"Outputs.{name}"))
        for name, output in _section(translated, "Outputs").items()
        if _is_present(cast("Json", output), resolver, f"Outputs.{name}")
    }
    own_name = f"{PSEUDO_PARAMETERS['AWS::StackName']}-"
    return Stack(
        folder=folder,
        parameters=values,
        resources={
            name: cast("Json", resolver.resolve(resource, f"Resources.{name}"))
            for name, resource in present.items()
        },
        physical_ids={
            name: resolver.text({"Ref": name}, f"Resources.{name}")
            for name in present
            if resolver.has_reference(name)
        },
        outputs={
            name: text_of(output.get("Value"), f"Outputs.{name}")
            for name, output in outputs.items()
        },
        exports={
            str(cast("Json", output["Export"])["Name"]).removeprefix(own_name): text_of(
                output["Value"], f"Outputs.{name}"
            )
            for name, output in outputs.items()
            if "Export" in output
        },
    )


def read_template(template: Path) -> dict[str, object]:
    """Read the YAML of a template.

    Raises:
        TemplateError: the file cannot be read, is not YAML, or is not shaped as a template.
    """
    try:
        source: object = parse_yaml(template.read_text("utf-8"))
    except OSError as error:
        message = f"{template} cannot be read: {error.strerror}"
        raise TemplateError(message) from error
    except (YAMLError, ValueError) as error:
        message = f"{template} is not YAML: {error}"
        raise TemplateError(message) from error
    if not isinstance(source, dict) or not source.get("Resources"):
        message = f"{template} has no Resources section"
        raise TemplateError(message)
    for name in _SECTIONS:
        _check_shape(source.get(name, {}), f"{template}: {name}")
    for name, resource in source["Resources"].items():
        _check_resource(resource, f"{template}: Resources.{name}")
    return source


def _check_shape(value: object, where: str) -> None:
    if not isinstance(value, dict):
        message = f"{where} is not a mapping"
        raise TemplateError(message)


def _check_resource(resource: object, where: str) -> None:
    _check_shape(resource, where)
    members = cast("Json", resource)
    if not isinstance(members.get("Type"), str):
        message = f"{where} has no Type"
        raise TemplateError(message)
    _check_shape(members.get("Properties", {}), f"{where}.Properties")


def _refuse_websockets(resources: Mapping[str, Json]) -> None:
    for name, resource in resources.items():
        properties = cast("Json", resource.get("Properties", {}))
        if properties.get("ProtocolType") == "WEBSOCKET":
            message = f"{name} is a WebSocket API; the local gateway serves only REST and HTTP APIs"
            raise TemplateError(message)


def translate(source: Mapping[str, object], parameters: Mapping[str, str]) -> Json:
    """Translate a parsed SAM template to a CloudFormation template.

    Raises:
        TemplateError: SAM rejects the template; the text contains its reasons.
    """
    template = copy.deepcopy(dict(source))
    for properties in _sources_of_code(template):
        for name in _CODE_PROPERTIES:
            place = properties.get(name)
            if isinstance(place, str) and not place.startswith("s3://"):
                bucket = _ROOT_BUCKET if place.startswith("/") else LOCAL_BUCKET
                properties[name] = f"s3://{bucket}/{place.lstrip('/')}"
    try:
        with _quiet():
            translator = Translator({}, Parser(), boto_session=_session())
            translated = translator.translate(template, dict(parameters))
    except InvalidDocumentException as error:
        reasons = "; ".join(cause.message for cause in error.causes)
        message = f"SAM rejects the template: {reasons}"
        raise TemplateError(message) from error
    except MISSHAPEN as error:
        # SAM checks most of a template's shape, but not all of it.
        message = f"SAM cannot process the template: {type(error).__name__}: {error}"
        raise TemplateError(message) from error
    return cast("Json", translated)


def _sources_of_code(template: Mapping[str, object]) -> Iterator[dict[str, object]]:
    for resource in _resources(_section(template, "Resources")).values():
        yield cast("dict[str, object]", resource.get("Properties", {}))
    for defaults in _section(template, "Globals").values():
        if isinstance(defaults, dict):
            yield defaults


def properties_of(stack: Stack, logical_id: str) -> Json:
    """Return a resource's properties.

    Raises:
        TemplateError: the stack has no such resource.
    """
    if logical_id not in stack.resources:
        message = f"The stack has no resource {logical_id!r}"
        raise TemplateError(message)
    return cast("Json", stack.resources[logical_id].get("Properties", {}))


def environment_of(stack: Stack, logical_id: str) -> Mapping[str, str]:
    """Return a function's environment variables."""
    environment = cast("Json", properties_of(stack, logical_id).get("Environment", {}))
    variables = cast("Json", environment.get("Variables", {}))
    return {
        name: text_of(value, f"{logical_id}: the variable {name}")
        for name, value in variables.items()
    }


def code_folder_of(stack: Stack, logical_id: str) -> Path:
    """Return the folder of a function's code, which may not exist.

    Raises:
        TemplateError: the code is elsewhere: in the template, in a bucket, in an image.
    """
    match properties_of(stack, logical_id).get("Code"):
        # Without SAM, `aws cloudformation package` takes a folder's path here.
        case str(path):
            return stack.folder / path
        case {"S3Bucket": bucket, "S3Key": str(path)} if bucket == LOCAL_BUCKET:
            return stack.folder / path
        case {"S3Bucket": bucket, "S3Key": str(path)} if bucket == _ROOT_BUCKET:
            return Path("/") / path
        case _:
            message = (
                f"{logical_id}: CodeUri must name a folder;"
                " inline code, images and S3 objects are not supported here"
            )
            raise TemplateError(message)


def physical_id_of(stack: Stack, logical_id: str) -> str:
    """Return what `Ref` resolves to for a resource.

    Raises:
        TemplateError: the stack has no such resource, or the local run gives it no id.
    """
    if logical_id not in stack.physical_ids:
        message = f"The stack has no resource {logical_id!r} with an id"
        raise TemplateError(message)
    return stack.physical_ids[logical_id]


def _parameter_values(declared: Json, given: Mapping[str, str]) -> dict[str, str]:
    for name in given:
        if name not in declared:
            similar = get_close_matches(name, declared, 1)
            known = f"It has {', '.join(declared) or 'none'}"
            advice = f"Did you mean {similar[0]!r}?" if similar else known
            message = f"The template has no parameter {name!r}. {advice}"
            raise TemplateError(message)
    return {
        name: _parameter_value(name, cast("Json", declaration), given)
        for name, declaration in declared.items()
    }


def _parameter_value(name: str, declaration: Json, given: Mapping[str, str]) -> str:
    if name not in given and "Default" not in declaration:
        message = f"The parameter {name} has no default, so it requires a value"
        raise TemplateError(message)
    value = given[name] if name in given else text_of(declaration["Default"], f"Parameters.{name}")
    for rule, is_kept in _PARAMETER_RULES.items():
        if rule in declaration and not is_kept(value, declaration[rule]):
            message = f"The parameter {name} cannot be {value!r}: {rule} is {declaration[rule]!r}"
            raise TemplateError(message)
    return value


def _is_number(value: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None


_PARAMETER_RULES: Final[Mapping[str, Callable[[str, object], bool]]] = {
    "Type": lambda value, kind: kind == "String" or (kind == "Number" and _is_number(value)),
    "AllowedValues": lambda value, allowed: (
        value in [text_of(each, "AllowedValues") for each in cast("list[object]", allowed)]
    ),
    "AllowedPattern": lambda value, pattern: re.fullmatch(str(pattern), value) is not None,
    "MinLength": lambda value, least: len(value) >= int(str(least)),
    "MaxLength": lambda value, most: len(value) <= int(str(most)),
    "MinValue": lambda value, least: float(value) >= float(str(least)),
    "MaxValue": lambda value, most: float(value) <= float(str(most)),
}


def _check_rules(rules: Json, resolver: Resolver) -> None:
    for name, rule in rules.items():
        where = f"Rules.{name}"
        members = cast("Json", rule)
        if "RuleCondition" in members and not resolver.holds(members["RuleCondition"], where):
            continue
        for assertion in cast("list[Json]", members["Assertions"]):
            if not resolver.holds(assertion["Assert"], where):
                raise TemplateError(str(assertion["AssertDescription"]))


def _section(template: Mapping[str, object], name: str) -> Json:
    return cast("Json", template.get(name, {}))


def _resources(section: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", section)


def _is_present(declaration: Json, resolver: Resolver, where: str) -> bool:
    return "Condition" not in declaration or resolver.holds(declaration["Condition"], where)


@cache
def _session() -> Session:
    # SAM derives the partition from its region, and would make a session for each template.
    return Session(region_name=PSEUDO_PARAMETERS["AWS::Region"])


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the translator's warning that it found no feature toggles, which is normal."""
    logger = logging.getLogger("samtranslator")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
