"""What the checks ask: two probe APIs, their caches, and the deployed stack where there is one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from local.gateway.api_definition import ApiKind
from platform_checks.deployed_stack import DeployedStack
from platform_checks.probe_api import ProbeApi
from platform_checks.probe_metrics import ProbeMetrics


class AuthorizerCaches(Protocol):
    """API Gateway's own control over the probe APIs' result caches."""

    def flush(self, kind: ApiKind, /) -> None:
        """Flush one API's stage.

        Raises:
            AwsRefused: the call failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds since the epoch, and waiting.

    `margin_seconds` is how far this clock may be from API Gateway's.
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    margin_seconds: int = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """Where the answers come from. `deployed` and `metrics` exist on AWS only."""

    apis: Mapping[ApiKind, ProbeApi]
    caches: AuthorizerCaches
    clock: Clock
    deployed: DeployedStack | None = None
    metrics: ProbeMetrics | None = None
