"""The template that a release ships: the same stack, with its code in a bucket by its digest."""

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from keyscope_local.template.stack import translate
from keyscope_local.template.yaml_reader import parse_yaml
from tools.dist.packaged_template import BUCKET_PARAMETER, KEY_PREFIX, code_folders, packaged

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final[dict[str, Any]] = parse_yaml((ROOT / "template.yaml").read_text("utf-8"))
BUCKET: Final = "artifacts"
DIGESTS: Final = {folder: f"digest-of-{folder}" for _, _, folder in code_folders(TEMPLATE)}
MAX_BYTES: Final = 1_000_000
"""Of a template that CloudFormation reads from S3 (CreateChangeSet, TemplateURL)."""
DEFAULTS: Final = {
    name: str(parameter["Default"]) for name, parameter in TEMPLATE["Parameters"].items()
}


def resources_of(template: Mapping[str, object]) -> Mapping[str, object]:
    resources = template["Resources"]
    assert isinstance(resources, dict)
    return resources


def compared(template: Mapping[str, object]) -> Mapping[str, object]:
    """Return the resources and outputs, without the digests that SAM makes of what it reads."""
    text = json.dumps({name: template[name] for name in ("Resources", "Outputs")})
    text = text.replace(json.dumps({"Ref": BUCKET_PARAMETER}), json.dumps(BUCKET))
    unnumbered = re.sub(r"(Layer|Version|Deployment|id: )[0-9a-f]{10,40}\b", r"\1", text)
    made: dict[str, dict[str, object]] = json.loads(unnumbered)
    for resource in made["Resources"].values():
        assert isinstance(resource, dict)
        resource.pop("Metadata", None)
    return made


def test_the_packaged_template_makes_the_stack_that_sam_deploy_makes() -> None:
    ours = translate(packaged(TEMPLATE, DIGESTS), {**DEFAULTS, BUCKET_PARAMETER: BUCKET})
    uploaded = copy.deepcopy(TEMPLATE)
    for name, kind, folder in code_folders(TEMPLATE):
        code = "CodeUri" if kind.endswith("Function") else "ContentUri"
        place = f"s3://{BUCKET}/{KEY_PREFIX}/{DIGESTS[folder]}.zip"
        uploaded["Resources"][name]["Properties"][code] = place
    assert compared(ours) == compared(translate(uploaded, DEFAULTS))


def test_other_code_gets_other_versions_of_layers_and_authorizers() -> None:
    changed = {**DIGESTS, "layers/keyscope": "another", "functions/rest_authorizer": "another"}
    before, after = (
        translate(packaged(TEMPLATE, digests), DEFAULTS) for digests in (DIGESTS, changed)
    )
    added = set(resources_of(after)) - set(resources_of(before))
    kinds = {re.sub(r"[0-9a-f]{10}$", "", name) for name in added}
    assert {"KeyscopeLayer", "RestAuthorizerFunctionVersion"} <= kinds


def test_every_function_and_layer_is_packaged() -> None:
    packed = packaged(TEMPLATE, DIGESTS)
    serverless = {
        name: each["Properties"]
        for name, each in packed["Resources"].items()
        if each["Type"] in {"AWS::Serverless::Function", "AWS::Serverless::LayerVersion"}
    }
    assert {
        (properties.get("CodeUri") or properties["ContentUri"])["Bucket"]["Ref"]
        for properties in serverless.values()
    } == {BUCKET_PARAMETER}
    assert len(serverless) == len(list(code_folders(TEMPLATE)))


def test_it_is_not_transformed_because_the_transform_decides_by_parameters() -> None:
    packed = packaged(TEMPLATE, DIGESTS)
    assert packed["Transform"] == TEMPLATE["Transform"]
    assert set(packed["Parameters"]) - set(TEMPLATE["Parameters"]) == {BUCKET_PARAMETER}


def test_cloudformation_takes_it_from_a_bucket() -> None:
    assert len(json.dumps(packaged(TEMPLATE, DIGESTS), indent=1).encode()) < MAX_BYTES
