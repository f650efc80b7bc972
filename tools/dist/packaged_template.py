"""The template as a release ships it: its code in a bucket that the deployment names.

It is not transformed: SAM's transform decides by the values of parameters, so it must run where
they are known. It is JSON, because CloudFormation rejects YAML's aliases.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

BUCKET_PARAMETER: Final = "ArtifactsBucket"
KEY_PREFIX: Final = "keyscope"
_CODE_PROPERTIES: Final = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}

Template = Mapping[str, Any]


def code_folders(template: Template) -> Iterator[tuple[str, str, str]]:
    """Return each function and layer: its logical id, its type, and the folder of its code."""
    for name, resource in template["Resources"].items():
        code_property = _CODE_PROPERTIES.get(resource["Type"])
        if code_property is not None:
            yield name, resource["Type"], resource["Properties"][code_property]


def packaged(template: Template, digests: Mapping[str, str]) -> Template:
    """Return a template whose code is in a bucket, under the SHA-256 of each folder's ZIP file."""
    result = copy.deepcopy(dict(template))
    for name, kind, folder in code_folders(template):
        resource = result["Resources"][name]
        resource["Properties"][_CODE_PROPERTIES[kind]] = {
            "Bucket": {"Ref": BUCKET_PARAMETER},
            "Key": f"{KEY_PREFIX}/{digests[folder]}.zip",
        }
        # Metadata for `sam build`, whose work is done.
        resource.pop("Metadata", None)
    result["Parameters"] = {
        **template["Parameters"],
        BUCKET_PARAMETER: {
            "Type": "String",
            "Description": (
                "S3 bucket of this account and region that has Keyscope's code, under the SHA-256"
                " of each ZIP file. `keyscope deploy` uploads it there."
            ),
        },
    }
    groups = result["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    groups.append({"Label": {"default": "Code"}, "Parameters": [BUCKET_PARAMETER]})
    return result
