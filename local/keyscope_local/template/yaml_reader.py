"""CloudFormation's YAML: short forms such as `!Ref`, and dates as texts, as in SAM CLI."""

from typing import Any, Final

from yaml import CSafeLoader, MappingNode, Node, ScalarNode, SequenceNode, load

_TEXT: Final = "tag:yaml.org,2002:str"
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_WITHOUT_PREFIX: Final = {"Ref", "Condition"}


class _TemplateLoader(CSafeLoader):
    """A safe loader with its own constructors."""


def _function_of(loader: _TemplateLoader, name: str, node: Node) -> dict[str, object]:
    """Return the full form of a function, `{"Fn::Sub": ...}` for `!Sub ...`."""
    value: object
    match node:
        case ScalarNode():
            text = str(loader.construct_scalar(node))
            # "GetAtt A.B.C" names the attribute B.C of A.
            value = text.split(".", 1) if name == "GetAtt" else text
        case SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case MappingNode():
            value = loader.construct_mapping(node, deep=True)
        case _:
            message = f"unexpected node {node!r}"
            raise TypeError(message)
    return {name if name in _WITHOUT_PREFIX else f"Fn::{name}": value}


_TemplateLoader.add_multi_constructor("!", _function_of)
_TemplateLoader.add_constructor(_TIMESTAMP, CSafeLoader.yaml_constructors[_TEXT])


def parse_yaml(text: str) -> Any:  # noqa: ANN401 - its shape is the caller's
    """Parse a template, or part of one.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    return load(text, _TemplateLoader)  # noqa: S506 - a safe loader's subclass
