"""The probe APIs behind the local gateway, which is told how to behave."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

_TOKEN: Final = "a-token-that-opens-a-probe-on-this-machine"  # noqa: S105 - nobody else gets there
_PARAMETERS: Final = {"ProbeToken": _TOKEN, "UsageKey": "a-key-of-a-local-usage-plan"}


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
                gateway.api.kind: ProbeApi(url, _TOKEN, evidence)
                for gateway, url in zip(gateways, urls, strict=True)
            }
            caches = _LocalCaches({gateway.api.kind: gateway for gateway in gateways})
            yield Subject(apis, caches, clock)


@cache
def _stack() -> Stack:
    return load_stack(TEMPLATE, _PARAMETERS)


class _LocalCaches:
    def __init__(self, gateways: Mapping[ApiKind, Gateway]) -> None:
        self._gateways = gateways

    def flush(self, kind: ApiKind, /) -> None:
        gateway = self._gateways[kind]
        gateway.cache.flush(gateway.api.platform.flush_delay_seconds)
