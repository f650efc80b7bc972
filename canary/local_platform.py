"""The probe APIs behind the local gateway, which is told how to behave."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from canary.evidence import Evidence
from canary.probe_api import ProbeApi
from canary.probe_template import TEMPLATE
from canary.subject import Clock, Subject
from local.api_definition import ApiKind
from local.api_reader import read_apis
from local.function_loader import loaded_functions
from local.gateway import Gateway
from local.platform_behaviour import PlatformBehaviour
from local.server import serving
from local.template import Stack, load_stack

LOCAL_TOKEN: Final = "a-token-that-opens-a-probe-on-this-machine"  # noqa: S105 - opens no other
_PARAMETERS: Final = {"ProbeToken": LOCAL_TOKEN, "UsageKey": "a-key-of-a-local-usage-plan"}


@contextmanager
def local_subject(
    behaviours: Mapping[ApiKind, PlatformBehaviour], evidence: Evidence, clock: Clock
) -> Iterator[Subject]:
    """Serve the probe APIs on free ports of 127.0.0.1; both sides go by the same clock."""
    stack = _stack()
    with loaded_functions(stack, {}) as functions:
        gateways = [Gateway(api, functions, clock.now) for api in read_apis(stack, behaviours)]
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
        """Flush one API's stage, at once or as late as the gateway is told."""
        gateway = self.gateways[kind]
        gateway.cache.flush(gateway.api.platform.flush_delay_seconds)
