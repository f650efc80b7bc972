"""Which settings the lean client follows, and which it leaves to botocore."""

import re
from functools import cache
from pathlib import Path
from typing import Final

import botocore
import pytest

from keyscope.aws.lean import settings
from keyscope.aws.lean.endpoint import UnknownSetting
from keyscope.aws.lean.settings import require_known

PLAIN: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}
FOLLOWED: Final = {
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "REQUESTS_CA_BUNDLE",
}
OF_NO_EFFECT: Final = {
    # With the preferred mode, an endpoint of the account is an optimization of AWS's.
    "AWS_ACCOUNT_ID",
    # What the clients' own configuration overrides.
    "AWS_MAX_ATTEMPTS",
    "AWS_NEW_RETRIES_2026",
    "AWS_RETRY_MODE",
    "AWS_SDK_UA_APP_ID",
    "BOTOCORE_TCP_KEEPALIVE",
    # What belongs to a setting that is left to botocore.
    "AWS_CSM_CLIENT_ID",
    "AWS_CSM_HOST",
    "AWS_CSM_PORT",
    "AWS_ROLE_SESSION_NAME",
    # Credentials of EC2, which come after those that the lean client needs.
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_EC2_METADATA_V1_DISABLED",
    "AWS_IMDS_USE_IPV6",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
    "AWS_METADATA_SERVICE_TIMEOUT",
    # What other services and larger requests have.
    "AWS_DISABLE_HOST_PREFIX_INJECTION",
    "AWS_DISABLE_REQUEST_COMPRESSION",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
    "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS",
    "AWS_S3_USE_ARN_REGION",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
    "AWS_STS_REGIONAL_ENDPOINTS",
    # What Lambda tells of itself, and switches of botocore's code.
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "BOTO_DISABLE_CRT",
    "BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER",
    "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE",
}


@cache
def names_that_botocore_reads() -> set[str]:
    sources = Path(botocore.__file__).parent.rglob("*.py")
    texts = [path.read_text("utf-8") for path in sources if "vendored" not in path.parts]
    quoted = re.compile(r"""['"]((?:AWS|BOTO|BOTOCORE|REQUESTS)_[A-Z0-9_]+)['"]""")
    return {name for text in texts for name in quoted.findall(text)}


def left_to_botocore() -> set[str]:
    return set(settings._NEEDS_BOTOCORE)  # noqa: SLF001 - the list itself is tested


def test_every_variable_that_botocore_reads_is_followed_left_to_it_or_of_no_effect() -> None:
    read = names_that_botocore_reads()
    assert len(read) > 50
    assert read - FOLLOWED - OF_NO_EFFECT - left_to_botocore() == set()


def test_no_variable_is_listed_that_botocore_does_not_read() -> None:
    assert (FOLLOWED | OF_NO_EFFECT | left_to_botocore()) - names_that_botocore_reads() == set()


def test_what_lambda_sets_is_known() -> None:
    ours = {
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    }
    require_known({**PLAIN, **ours})


@pytest.mark.parametrize("name", sorted(left_to_botocore() | {"HTTPS_PROXY", "http_proxy"}))
def test_a_setting_that_only_botocore_knows_is_named(name: str) -> None:
    with pytest.raises(UnknownSetting, match=f"^{name}$"):
        require_known({**PLAIN, name: "true"})


@pytest.mark.parametrize("value", ["", "false", "False"])
def test_a_setting_that_is_off_is_no_setting(value: str) -> None:
    require_known({**PLAIN, "AWS_USE_FIPS_ENDPOINT": value, "HTTPS_PROXY": ""})


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_file_of_settings_that_exists_is_left_to_botocore(name: str, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.touch()
    with pytest.raises(UnknownSetting, match=name):
        require_known({**PLAIN, name: str(file)})


def test_a_file_of_settings_is_found_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").touch()
    with pytest.raises(UnknownSetting, match="AWS_CONFIG_FILE"):
        require_known({**PLAIN, "AWS_CONFIG_FILE": ""})


def test_credentials_from_elsewhere_are_left_to_botocore() -> None:
    with pytest.raises(UnknownSetting, match="AWS_ACCESS_KEY_ID"):
        require_known({**PLAIN, "AWS_SECRET_ACCESS_KEY": ""})
    require_known(
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1", **dict(list(PLAIN.items())[2:])}
    )
