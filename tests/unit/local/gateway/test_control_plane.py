"""The control plane, as AWS's own client calls it."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from botocore.exceptions import ClientError

from keyscope_local.emulators.tables import local_client
from keyscope_local.gateway.authorization import AuthorizerResult
from keyscope_local.gateway.control_plane import control_plane
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.server import bound, served, url_of
from keyscope_local.template.function_loader import LocalFunction
from tests.support import local_gateway, plain_http
from tests.support.local_gateway import StubFunction, raising, small_stack

if TYPE_CHECKING:
    from keyscope.aws.clients import ApiGatewayClient, ApiGatewayV2Client

RESULT: Final = AuthorizerResult("p", {}, {})


@pytest.fixture
def gateways() -> list[Gateway]:
    stack = small_stack()
    gateways = [local_gateway.served(stack, api).gateway for api in ("Rest", "Http")]
    for gateway in gateways:
        gateway.cache.put("caller", RESULT, 300)
    return gateways


@pytest.fixture
def url(gateways: list[Gateway]) -> Iterator[str]:
    with bound(0) as listener, served((control_plane(gateways), listener)):
        yield url_of(listener)


def cached(gateways: list[Gateway]) -> list[bool]:
    return [gateway.cache.get("caller") is not None for gateway in gateways]


def flush_rest(url: str, api_id: str, stage: str) -> int:
    client = cast("ApiGatewayClient", local_client("apigateway", url))
    answer = client.flush_stage_authorizers_cache(restApiId=api_id, stageName=stage)
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def flush_http(url: str, api_id: str, stage: str) -> int:
    client = cast("ApiGatewayV2Client", local_client("apigatewayv2", url))
    answer = client.reset_authorizers_cache(ApiId=api_id, StageName=stage)
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def test_a_rest_apis_flush_empties_its_cache_alone(url: str, gateways: list[Gateway]) -> None:
    assert flush_rest(url, gateways[0].api.api_id, "prod") == 202
    assert cached(gateways) == [False, True]


def test_an_http_apis_flush_empties_its_cache_alone(url: str, gateways: list[Gateway]) -> None:
    assert flush_http(url, gateways[1].api.api_id, "$default") == 204
    assert cached(gateways) == [True, False]


@pytest.mark.parametrize(
    ("api", "stage"), [(0, "other"), (1, "$default"), (1, "prod")], ids=["stage", "kind", "both"]
)
def test_a_stage_that_no_rest_api_has_is_not_found_and_nothing_is_flushed(
    api: int, stage: str, url: str, gateways: list[Gateway]
) -> None:
    with pytest.raises(ClientError) as refused:
        flush_rest(url, gateways[api].api.api_id, stage)
    assert refused.value.response["Error"]["Code"] == "NotFoundException"
    assert cached(gateways) == [True, True]


def test_an_api_that_is_not_there_is_not_found(url: str, gateways: list[Gateway]) -> None:
    with pytest.raises(ClientError, match="NotFoundException"):
        flush_http(url, "nothing", "$default")
    assert cached(gateways) == [True, True]


def test_only_a_delete_flushes(url: str, gateways: list[Gateway]) -> None:
    path = f"/restapis/{gateways[0].api.api_id}/stages/prod/cache/authorizers"
    assert plain_http.get(url + path).status_code == 405
    assert cached(gateways) == [True, True]


FUNCTION: Final = "arn:aws:lambda:us-east-1:123456789012:function:provisioning"


@pytest.fixture
def lambda_url() -> Iterator[str]:
    """Where two functions are invoked: one that answers with its event, and one that fails."""
    functions = {
        "One": LocalFunction("provisioning", FUNCTION, 128, lambda event, _: {"got": event}),
        "Two": StubFunction(raising("not now")).loaded("failing"),
    }
    with bound(0) as listener, served((control_plane([], functions), listener)):
        yield url_of(listener)


def invoke(url: str, name: str, payload: bytes = b'{"operation": "x"}') -> Mapping[str, Any]:
    client = cast("Any", local_client("lambda", url))
    answer: Mapping[str, Any] = client.invoke(FunctionName=name, Payload=payload)
    return {**answer, "Payload": json.loads(answer["Payload"].read())}


@pytest.mark.parametrize(
    "name", ["provisioning", FUNCTION, "provisioning:live", f"{FUNCTION}:live", f"{FUNCTION}:7"]
)
def test_awss_own_client_invokes_a_function_by_name_or_arn(name: str, lambda_url: str) -> None:
    answer = invoke(lambda_url, name)
    assert answer["Payload"] == {"got": {"operation": "x"}}
    assert "FunctionError" not in answer


def test_a_function_that_raised_is_told_as_lambda_tells_it(lambda_url: str) -> None:
    answer = invoke(lambda_url, "failing")
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {"errorType": "RuntimeError", "errorMessage": "not now"}


@pytest.mark.parametrize(
    ("name", "payload", "code"),
    [
        ("nobody", b"{}", "ResourceNotFoundException"),
        ("provisioning", b"{", "InvalidRequestContentException"),
    ],
)
def test_what_cannot_be_invoked_is_refused_as_lambda_refuses_it(
    name: str, payload: bytes, code: str, lambda_url: str
) -> None:
    with pytest.raises(ClientError) as refused:
        invoke(lambda_url, name, payload)
    assert refused.value.response["Error"]["Code"] == code


SIGNED: Final = {"authorization": "AWS4-HMAC-SHA256 Credential=local"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 403, id="what a page in a browser can send"),
        pytest.param({**SIGNED, "host": "page.example"}, 400, id="a name that leads here"),
        pytest.param(SIGNED, 200, id="an AWS client"),
    ],
)
def test_no_page_in_a_browser_can_invoke_a_function(
    headers: dict[str, str], status: int, lambda_url: str
) -> None:
    url = f"{lambda_url}/2015-03-31/functions/provisioning/invocations"
    assert plain_http.post(url, content=b"{}", headers=headers).status_code == status
