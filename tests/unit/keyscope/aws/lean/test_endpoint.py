"""Endpoints, held against botocore's."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import botocore
import pytest
from botocore.endpoint_provider import EndpointProvider

from keyscope.aws.lean.endpoint import Endpoint, UnknownSetting, endpoint_of, region_of

DATA: Final = Path(botocore.__file__).parent / "data"
PARTITIONS: Final[dict[str, Any]] = json.loads((DATA / "partitions.json").read_text("utf-8"))
UNHEARD_OF: Final = ("us-east-9", "eu-central-9", "us-gov-south-9", "cn-east-9", "us-iso-south-9")
"""Regions that AWS has not opened: their partition is told by their name's form."""


def regions() -> Iterator[str]:
    for partition in PARTITIONS["partitions"]:
        yield from (region for region in partition["regions"] if not region.endswith("-global"))
    yield from UNHEARD_OF


def provider_of(service: str) -> EndpointProvider:
    path = max((DATA / service).glob("*/endpoint-rule-set-1.json.gz"))
    return EndpointProvider(json.loads(gzip.decompress(path.read_bytes())), PARTITIONS)


@pytest.mark.parametrize("service", ["dynamodb", "kms"])
def test_every_region_of_every_partition_has_the_endpoint_that_botocore_gives_it(
    service: str,
) -> None:
    provider = provider_of(service)
    expected = {
        region: provider.resolve_endpoint(Region=region, UseFIPS=False, UseDualStack=False).url
        for region in regions()
    }
    ours = {}
    for region in expected:
        assert region_of({"AWS_DEFAULT_REGION": region}) == region
        endpoint = endpoint_of(service, region, {})
        assert (endpoint.port, endpoint.is_secure) == (443, True)
        ours[region] = f"https://{endpoint.authority}"
    assert (len(ours) > 45, ours) == (True, expected)


@pytest.mark.parametrize(
    "region", ["", "local", "aws-global", "aws-cn-global", "nowhere-1", "us-east", "us-east-\u0661"]
)
def test_a_region_of_no_known_partition_is_left_to_botocore(region: str) -> None:
    with pytest.raises(UnknownSetting, match="AWS_DEFAULT_REGION"):
        region_of({"AWS_DEFAULT_REGION": region})


def test_the_region_is_read_as_botocore_reads_it_and_else_as_lambda_names_it() -> None:
    both = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "us-east-1"}
    assert region_of(both) == "eu-west-1"
    assert region_of({"AWS_REGION": "us-east-1"}) == "us-east-1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", Endpoint("127.0.0.1", 8000, "127.0.0.1:8000", is_secure=False)),
        (
            "https://Vpce-1.Example/",
            Endpoint("vpce-1.example", 443, "vpce-1.example", is_secure=True),
        ),
        ("http://[::1]:80", Endpoint("::1", 80, "[::1]", is_secure=False)),
    ],
)
def test_the_environment_names_an_endpoint(url: str, expected: Endpoint) -> None:
    assert endpoint_of("kms", "us-east-1", {"AWS_ENDPOINT_URL": url}) == expected


def test_an_endpoint_for_one_service_wins() -> None:
    urls = {"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_KMS": "http://kms"}
    hosts = [endpoint_of(name, "us-east-1", urls).host for name in ("kms", "dynamodb")]
    assert hosts == ["kms", "all"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a",
        "a:1",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://u@a",
        "http://a:x",
        "http://\u00e4",
    ],
)
def test_an_endpoint_that_is_more_or_less_than_a_host_is_left_to_botocore(url: str) -> None:
    with pytest.raises(UnknownSetting, match="AWS_ENDPOINT_URL_KMS"):
        endpoint_of("kms", "us-east-1", {"AWS_ENDPOINT_URL_KMS": url})
