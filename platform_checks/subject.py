"""What the checks run against: two probe APIs, their caches, and the deployed stack, if any."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.deployed_stack import DeployedStack
from platform_checks.probe_api import ProbeApi
from platform_checks.probe_metrics import ProbeMetrics


class AuthorizerCaches(Protocol):
    """API Gateway's own control of the probe APIs' result caches."""

    def flush(self, kind: ApiKind, /) -> None:
        """Flush one API's stage.

        Raises:
            AwsRefused: the call failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """Returns seconds since the epoch, and waits.

    `margin_seconds` is the largest difference between this clock and API Gateway's.
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    margin_seconds: int = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """The parts that the checks use. `deployed` and `metrics` exist on AWS only."""

    apis: Mapping[ApiKind, ProbeApi]
    caches: AuthorizerCaches
    clock: Clock
    deployed: DeployedStack | None = None
    metrics: ProbeMetrics | None = None
