"""A release like `make dist` writes it, with one table and one queue."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

QUEUE: Final = {"Type": "AWS::SQS::Queue"}
TABLE: Final = {
    "Type": "AWS::DynamoDB::Table",
    "DeletionPolicy": "Retain",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    },
}
TEMPLATE: Final[Mapping[str, Any]] = {
    "Description": "Keyscope: a small one",
    "Parameters": {
        "ArtifactsBucket": {"Type": "String"},
        "StageName": {"Type": "String", "Default": "prod"},
        "HttpApiEnabled": {"Type": "String", "Default": "false"},
    },
    "Resources": {"KeysTable": TABLE, "Queue": QUEUE},
    "Outputs": {"RestApiUrl": {"Value": {"Fn::Sub": "https://example.com/${StageName}"}}},
}
POLICY: Final = '{"Statement": []}'


def write_release(folder: Path, *, code: str = "code", **changed: object) -> None:
    """Write it, with some sections of the template changed."""
    files = {
        "functions-echo.zip": code,
        "stack-policy.json": POLICY,
        "template.json": json.dumps({**TEMPLATE, **changed}),
    }
    sums = [f"{sha256(text.encode()).hexdigest()}  {name}\n" for name, text in files.items()]
    for name, text in {**files, "SHA256SUMS": "".join(sums)}.items():
        (folder / name).write_text(text, "utf-8")
