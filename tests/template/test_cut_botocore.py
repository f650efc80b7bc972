"""The botocore of the authorizers' layer: cut to what they call, and else the same."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import botocore
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader
from botocore.model import OperationModel
from botocore.session import Session

pytestmark = pytest.mark.build

ROOT: Final = Path(__file__).parents[2]
SCRIPT: Final = ROOT / "layers" / "botocore" / "cut_botocore.py"
STOCK: Final = Path(botocore.__file__).parent
CALLS: Final[dict[str, tuple[str, dict[str, object]]]] = {
    "dynamodb": ("get_item", {"TableName": "keys", "Key": {"key_id": {"S": "app_1"}}}),
    "kms": (
        "decrypt",
        {"KeyId": "key", "CiphertextBlob": b"sealed", "EncryptionContext": {"keyId": "app_1"}},
    ),
}
UNHEARD_OF: Final = ("us-east-9", "eu-central-9", "us-gov-south-9", "cn-east-9", "nowhere-1")
"""Regions that AWS has not opened: the endpoint rules tell their partition by their name's form."""


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("layer") / "botocore"
    for path in ("data/dynamodb", "data/kms", "data/sqs"):
        shutil.copytree(STOCK / path, copy / path)
    for file in (STOCK / "data").glob("*.json"):
        os.link(file, copy / "data" / file.name)
    subprocess.run([sys.executable, str(SCRIPT), str(copy)], check=True)  # noqa: S603 - ours
    return copy / "data"


def regions() -> Iterator[str]:
    partitions = json.loads((STOCK / "data/partitions.json").read_text("utf-8"))["partitions"]
    for partition in partitions:
        yield from partition["regions"]
    yield from UNHEARD_OF


class Sent(Exception):  # noqa: N818 - a state
    """A request that is about to leave."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__(request.url)
        self.request = request


def stop(request: AWSPreparedRequest, **_: object) -> None:
    raise Sent(request)


def session_with(data: Path) -> Session:
    session = Session()
    session.set_credentials("AKIDEXAMPLE", "secret", "token")
    loader = Loader([str(data)], include_default_search_paths=False)
    # botocore distrusts endpoints that are not its own, and then takes them for overrides.
    loader.BUILTIN_DATA_PATH = str(data)
    session.register_component("data_loader", loader)
    return session


def asker(data: Path) -> Callable[[str, str, bool, bool], object]:
    """Return what tells where a call goes and what it is signed for, by botocore with this data."""
    session = session_with(data)

    def ask(service: str, region: str, fips: bool, dualstack: bool) -> object:  # noqa: FBT001
        config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack)
        operation, arguments = CALLS[service]
        try:
            client = session.create_client(service, region, config=config)
            client.meta.events.register("before-send", stop)
            getattr(client, operation)(**arguments)
        except Sent as sent:
            headers = sent.request.headers
            scope = str(headers["Authorization"]).split("/", 2)[2].split(",")[0]
            return sent.request.url, scope, headers["X-Amz-Target"], sent.request.body
        except BotoCoreError as error:
            return str(error)
        raise AssertionError

    return ask


@pytest.mark.parametrize("service", CALLS)
def test_every_region_has_the_endpoint_and_the_signing_of_the_whole_botocore(
    service: str, cut: Path
) -> None:
    whole, ours = asker(STOCK / "data"), asker(cut)
    variants = [
        (service, region, fips, dualstack)
        for region in regions()
        for fips in (False, True)
        for dualstack in (False, True)
    ]
    differing = [variant for variant in variants if whole(*variant) != ours(*variant)]
    assert (len(variants) > 150, differing) == (True, [])


def test_nothing_but_what_the_authorizers_call_remains(cut: Path) -> None:
    models = {path.parent.parent.name: path for path in cut.rglob("service-2.json")}
    operations = {
        service: sorted(json.loads(path.read_text("utf-8"))["operations"])
        for service, path in models.items()
    }
    assert operations == {"dynamodb": ["DescribeEndpoints", "GetItem"], "kms": ["Decrypt"]}


@pytest.mark.parametrize(("service", "operation"), [("dynamodb", "GetItem"), ("kms", "Decrypt")])
def test_an_operation_is_described_as_in_the_whole_botocore(
    service: str, operation: str, cut: Path
) -> None:
    whole, ours = (
        session_with(data).get_service_model(service).operation_model(operation)
        for data in (STOCK / "data", cut)
    )
    assert all_shapes(ours) == all_shapes(whole)


def all_shapes(operation: OperationModel) -> dict[str, object]:
    """Return every shape that the operation reaches, with its description."""
    found: dict[str, object] = {}
    waiting = [operation.input_shape, operation.output_shape, *operation.error_shapes]
    while waiting:
        shape = waiting.pop()
        if shape is not None and shape.name not in found:
            found[shape.name] = (shape.type_name, shape.serialization, shape.metadata)
            waiting.extend(getattr(shape, "members", {}).values())
            waiting.extend(
                getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)
            )
    return found


def test_cutting_changes_no_file_that_another_environment_links_to(cut: Path) -> None:
    assert (cut / "endpoints.json").stat().st_nlink == 1
    assert json.loads((STOCK / "data/endpoints.json").read_text("utf-8"))["partitions"][0][
        "services"
    ].keys() > {"dynamodb", "kms", "sqs"}
