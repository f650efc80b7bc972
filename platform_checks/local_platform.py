"""The probe APIs behind the local gateway, with settings for its behavior."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from keyscope_local.gateway.api_definition import ApiKind
from keyscope_local.gateway.api_reader import read_apis
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.platform_behavior import PlatformBehavior
from keyscope_local.gateway.server import serving
from keyscope_local.template.function_loader import loaded_functions
from keyscope_local.template.stack import Stack, load_stack
from platform_checks.evidence import Evidence
from platform_checks.probe_api import ProbeApi
from platform_checks.probe_template import TEMPLATE
from platform_checks.subject import Clock, Subject

LOCAL_TOKEN: Final = "a-token-that-opens-a-probe-on-this-machine"  # noqa: S105 - opens no other
_PARAMETERS: Final = {"ProbeToken": LOCAL_TOKEN, "UsageKey": "a-key-of-a-local-usage-plan"}


@contextmanager
def local_subject(
    behaviors: Mapping[ApiKind, PlatformBehavior], evidence: Evidence, clock: Clock
) -> Iterator[Subject]:
    """Serve the probe APIs on free ports of 127.0.0.1; checks and gateway use the same clock."""
    stack = _stack()
    with loaded_functions(stack, {}) as functions:
        gateways = [Gateway(api, functions, clock.now) for api in read_apis(stack, behaviors)]
        with serving(gateways, 0) as urls:
            apis = {
                gateway.api.kind: ProbeApi(url, LOCAL_TOKEN, evidence)
                for gateway, url in zip(gateways, urls, strict=True)
            }
            caches = LocalCaches({gateway.api.kind: gateway for gateway in gateways})
            yield Subject(apis, caches, clock)


@cache
def _stack() -> Stack:
    return load_stack(TEMPLATE, _PARAMETERS)


@dataclass(frozen=True, slots=True)
class LocalCaches:
    """The result caches of gateways in this process."""

    gateways: Mapping[ApiKind, Gateway]

    def flush(self, kind: ApiKind, /) -> None:
        """Flush one API's stage, at once or after the gateway's delay."""
        gateway = self.gateways[kind]
        gateway.cache.flush(gateway.api.platform.flush_delay_seconds)
