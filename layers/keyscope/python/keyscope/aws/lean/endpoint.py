"""Where a service is: its endpoint in the region, or the one that the environment names."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

# https://docs.aws.amazon.com/general/latest/gr/rande.html, and botocore's partitions.json, which
# the tests compare with these.
_DNS_SUFFIXES = {
    "cn": "amazonaws.com.cn",
    "eusc-de": "amazonaws.eu",
    "us-gov": "amazonaws.com",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "us-isof": "csp.hci.ic.gov",
    "eu-isoe": "cloud.adc-e.uk",
}
"""The DNS suffix of each partition but `aws`, by what its regions' names have before the
direction."""
REGION = "AWS_DEFAULT_REGION"
_OF_AWS = frozenset({"us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class UnknownSetting(Exception):  # noqa: N818 - a state
    """The lean client cannot follow a setting; the text is its name."""


class Endpoint(NamedTuple):
    """Where a service is. `authority` is the value of the header `Host`."""

    host: str
    port: int
    authority: str
    is_secure: bool


def region_of(environment: Mapping[str, str]) -> str:
    """Return the region, which botocore reads from `AWS_DEFAULT_REGION` and Lambda sets twice.

    Raises:
        UnknownSetting: there is none, or it is not the name of a region of a known partition.
    """
    region = environment.get(REGION) or environment.get("AWS_REGION") or ""
    if dns_suffix(region) is None:
        raise UnknownSetting(REGION)
    return region


def endpoint_of(service: str, region: str, environment: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of a service, `dynamodb` or `kms`.

    Raises:
        UnknownSetting: the environment names an endpoint that is more than a scheme, a host and a
            port.
    """
    for name in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
        if url := environment.get(name):
            return endpoint_at(name, url)
    host = f"{service}.{region}.{dns_suffix(region)}"
    return Endpoint(host, _DEFAULT_PORTS["https"], host, is_secure=True)


def dns_suffix(region: str) -> str | None:
    """Return the end of the names of a region's endpoints, or `None` for an unknown partition."""
    group, _, rest = region.rpartition("-")[0].rpartition("-")
    if not (region.isascii() and rest.isalnum() and region.rpartition("-")[2].isdecimal()):
        return None
    return "amazonaws.com" if group in _OF_AWS else _DNS_SUFFIXES.get(group)


def endpoint_at(name: str, url: str) -> Endpoint:
    """Return the endpoint at a URL, which the setting `name` has.

    Raises:
        UnknownSetting: it is more than a scheme, a host and a port.
    """
    try:
        parts = urlsplit(url)
        host, port, default = parts.hostname, parts.port, _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        raise UnknownSetting(name) from None
    path = f"{parts.path.removeprefix('/')}{parts.query}{parts.fragment}"
    if not host or not host.isascii() or default is None or path or "@" in parts.netloc:
        raise UnknownSetting(name)
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != default:
        authority = f"{authority}:{port}"
    return Endpoint(host, port or default, authority, is_secure=parts.scheme == "https")
