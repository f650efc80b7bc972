"""Lambda's own metrics of the probe authorizer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from platform_checks.aws_calls import told
from platform_checks.aws_clients import CloudWatchClient

PERIOD_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class ProbeMetrics:
    """The metrics of one function; `now` returns seconds since the epoch."""

    cloudwatch: CloudWatchClient
    function_name: str
    now: Callable[[], float]

    def errors(self) -> int:
        """Return how many invocations of the last hour Lambda counts as errors.

        Raises:
            AwsRefused: the call failed.
        """
        now = self.now()
        with told("read the metric Errors of the probe authorizer"):
            answer = self.cloudwatch.get_metric_statistics(
                Namespace="AWS/Lambda",
                MetricName="Errors",
                Dimensions=[{"Name": "FunctionName", "Value": self.function_name}],
                StartTime=datetime.fromtimestamp(now - PERIOD_SECONDS, UTC),
                EndTime=datetime.fromtimestamp(now + 60, UTC),
                Period=PERIOD_SECONDS,
                Statistics=["Sum"],
            )
        return int(sum(point["Sum"] for point in answer["Datapoints"]))
