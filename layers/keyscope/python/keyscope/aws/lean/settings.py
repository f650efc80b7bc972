"""Settings in the environment that only botocore supports."""

import os
from collections.abc import Mapping

from keyscope.aws.lean.credentials import (
    ACCESS_KEY,
    CONTAINER_URI,
    environment_credentials,
)
from keyscope.aws.lean.endpoint import UnknownSetting

_NEEDS_BOTOCORE = (
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_AUTH_SCHEME_PREFERENCE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CREDENTIAL_FILE",
    "AWS_CSM_ENABLED",
    "AWS_DATA_PATH",
    "AWS_DEFAULTS_MODE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_DISCOVERY_ENABLED",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_LOGIN_CACHE_DIRECTORY",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SIGV4A_SIGNING_REGION_SET",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "BOTOCORE_EXPERIMENTAL__PLUGINS",
    "BOTO_CONFIG",
)
_PROXIES = frozenset({"http_proxy", "https_proxy"})
_FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}
"""The variables that name the files of settings, and where they are by default."""


def require_known(environment: Mapping[str, str]) -> None:
    """Check that the lean client supports every setting in the environment.

    Raises:
        UnknownSetting: with the name of the first setting that it does not know.
    """
    for name in _NEEDS_BOTOCORE:
        if environment.get(name, "").lower() not in {"", "false", "disabled"}:
            raise UnknownSetting(name)
    for name, value in environment.items():
        if value and name.lower() in _PROXIES:
            raise UnknownSetting(name)
    for name, default in _FILES.items():
        if os.path.isfile(os.path.expanduser(environment.get(name) or default)):  # noqa: PTH111, PTH113 - as botocore
            raise UnknownSetting(name)
    if environment_credentials(environment) is None and not environment.get(CONTAINER_URI):
        raise UnknownSetting(ACCESS_KEY)
