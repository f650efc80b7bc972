"""The probe stack's template, ready for CloudFormation: translated, with inline code.

The translator is the local run's, so that AWS runs what the local gateway runs. The code is inline,
so that there is no bucket to create and empty.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from keyscope_local.template.stack import translate
from keyscope_local.template.yaml_reader import parse_yaml

TEMPLATE: Final = Path(__file__).parent / "template.yaml"
MAX_TEMPLATE_BYTES: Final = 51_200
"""The largest `TemplateBody` that `CreateStack` accepts."""
_INLINE_HANDLER: Final = "index.handler"
"""CloudFormation writes inline code to `index.py`."""


def probe_template() -> str:
    """Return the template in the form that CloudFormation accepts."""
    source: dict[str, object] = parse_yaml(TEMPLATE.read_text("utf-8"))
    translated = translate(source, {"ProbeToken": "", "UsageKey": ""})
    resources = cast("Mapping[str, dict[str, object]]", translated["Resources"])
    for resource in resources.values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"] = _inline(cast("Mapping[str, object]", resource["Properties"]))
    return json.dumps(translated, separators=(",", ":"))


def _inline(properties: Mapping[str, object]) -> dict[str, object]:
    folder = cast("Mapping[str, str]", properties["Code"])["S3Key"]
    module, _, function = str(properties["Handler"]).partition(".")
    if f"index.{function}" != _INLINE_HANDLER:
        message = f"{properties['Handler']}: inline code needs a function `handler`"
        raise ValueError(message)
    code = (TEMPLATE.parent / folder / f"{module}.py").read_text("utf-8")
    return {**properties, "Code": {"ZipFile": code}, "Handler": _INLINE_HANDLER}
