import pytest

from keyscope.access.method_arn import longest_api_stage, read_api_stage
from keyscope.errors import Unavailable

API = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5"


@pytest.mark.parametrize(
    ("method_arn", "stage_arn"),
    [
        pytest.param(f"{API}/prod/GET/v2/apps", f"{API}/prod", id="REST"),
        pytest.param(f"{API}/prod/GET/", f"{API}/prod", id="root"),
        pytest.param(f"{API}/$default/GET/v2/apps", f"{API}/$default", id="HTTP default stage"),
        pytest.param(f"{API}/prod/$connect", f"{API}/prod", id="WebSocket"),
        pytest.param(f"{API}/prod/GET/a:b/prod/GET/c", f"{API}/prod", id="path holding the rest"),
        pytest.param(f"{API}/prod/GET/a\nb", f"{API}/prod", id="path holding a newline"),
        pytest.param(
            "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:a1b2c3d4e5/x/GET/",
            "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:a1b2c3d4e5/x",
            id="GovCloud",
        ),
        pytest.param(
            "arn:aws-cn:execute-api:cn-north-1:123456789012:a1b2c3d4e5/x/GET/",
            "arn:aws-cn:execute-api:cn-north-1:123456789012:a1b2c3d4e5/x",
            id="China",
        ),
    ],
)
def test_the_stage_is_read_by_position(method_arn: str, stage_arn: str) -> None:
    assert read_api_stage(method_arn).arn == stage_arn


@pytest.mark.parametrize(
    "method_arn",
    [
        None,
        "",
        "*",
        f"{API}/prod",
        f"{API}/*/GET/",
        f"{API}/pr?d/GET/",
        "arn:aws:execute-api:*:123456789012:a1b2c3d4e5/prod/GET/",
        "arn:aws:execute-api:us-east-1:*:a1b2c3d4e5/prod/GET/",
        "arn:aws:execute-api:us-east-1:123456789012:*/prod/GET/",
        "arn:aws:s3:us-east-1:123456789012:a1b2c3d4e5/prod/GET/",
        f"{API}/${{x}}/GET/",
    ],
)
def test_what_no_api_gateway_sends_fails(method_arn: object) -> None:
    with pytest.raises(Unavailable):
        read_api_stage(method_arn)


def test_the_longest_stage_is_a_stage() -> None:
    longest = longest_api_stage(16)
    assert read_api_stage(longest.resource("GET/x")) == longest
