"""CloudFormation's YAML: short forms such as `!Ref`, and dates as texts, as in SAM CLI.

SAM CLI's own reader gives the same result, but it parses in pure Python and takes ten times as
long.
"""

from typing import Any, Final

from samcli.yamlhelper import intrinsics_multi_constructor
from yaml import CSafeLoader, load

_TEXT: Final = "tag:yaml.org,2002:str"
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class _TemplateLoader(CSafeLoader):
    """A safe loader with its own constructors."""


_TemplateLoader.add_multi_constructor("!", intrinsics_multi_constructor)
_TemplateLoader.add_constructor(_TIMESTAMP, CSafeLoader.yaml_constructors[_TEXT])


def parse_yaml(text: str) -> Any:  # noqa: ANN401 - its shape is the caller's
    """Parse a template, or part of one.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    return load(text, _TemplateLoader)  # noqa: S506 - a safe loader's subclass
