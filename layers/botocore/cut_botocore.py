"""Cuts botocore's data down to what the authorizers call; its code stays as it is.

Called by the Makefile with the folder of botocore. The endpoints of what remains are those of
the whole data: `tests/template/test_cut_botocore.py` compares them for every region.
"""

import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

OPERATIONS = {
    # DescribeEndpoints is what botocore looks for when endpoint discovery is turned on.
    "dynamodb": ("2012-08-10", {"GetItem", "DescribeEndpoints"}),
    "kms": ("2014-11-01", {"Decrypt"}),
}
"""The API version and the operations of each service that remains."""

COMMON_FILES = {
    "_retry.json",
    "endpoints.json",
    "partitions.json",
    "sdk-default-configuration.json",
}


def cut(botocore: Path) -> None:
    """Cut the data of one botocore in place."""
    data = botocore / "data"
    for path in data.iterdir():
        if path.is_dir() and path.name not in OPERATIONS:
            shutil.rmtree(path)
        elif path.is_file() and path.name not in COMMON_FILES:
            path.unlink()
    for service, (version, operations) in OPERATIONS.items():
        _cut_service(data / service, version, operations)
    endpoints = data / "endpoints.json"
    _write(endpoints, _cut_endpoints(json.loads(endpoints.read_text("utf-8"))))


def _cut_service(folder: Path, version: str, operations: set[str]) -> None:
    model = json.loads(gzip.decompress((folder / version / "service-2.json.gz").read_bytes()))
    rules = gzip.decompress((folder / version / "endpoint-rule-set-1.json.gz").read_bytes())
    shutil.rmtree(folder)
    (folder / version).mkdir(parents=True)
    _write(folder / version / "service-2.json", _cut_model(model, operations))
    _write(folder / version / "endpoint-rule-set-1.json", json.loads(rules))


def _cut_model(model: dict, operations: set[str]) -> dict:
    """Keep some operations of a service's model, with the shapes that they reach."""
    kept = {name: model["operations"][name] for name in sorted(operations)}
    shapes = set()
    waiting = [*_shapes_named_in(kept)]
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes.add(name)
            waiting.extend(_shapes_named_in(model["shapes"][name]))
    return {
        **model,
        "operations": kept,
        "shapes": {name: shape for name, shape in model["shapes"].items() if name in shapes},
    }


def _shapes_named_in(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        for value in node.values():
            yield from _shapes_named_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from _shapes_named_in(value)


def _cut_endpoints(endpoints: dict) -> dict:
    partitions = [
        {
            **partition,
            "services": {
                name: service
                for name, service in partition["services"].items()
                if name in OPERATIONS
            },
        }
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def _write(path: Path, value: object) -> None:
    # uv links files to its cache, which every environment of this machine shares: a file that is
    # there is replaced, never written to.
    path.unlink(missing_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")), "utf-8")


if __name__ == "__main__":
    cut(Path(sys.argv[1]))
