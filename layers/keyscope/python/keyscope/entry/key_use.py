"""From settings to the handler of the function that records when keys are used."""

import time
from collections.abc import Callable, Mapping

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from keyscope.aws.clients import dynamodb_client
from keyscope.aws.dynamodb.use_table import UseTable
from keyscope.aws.log_subscription import LogBatch, read_log_batch
from keyscope.entry.authorizer import LambdaContext
from keyscope.entry.settings import read_key_use_settings
from keyscope.errors import Reason, Unavailable, type_and_place
from keyscope.lifecycle.key_use import Recording, UseRecorder

SERVICE = "key_use"
MAX_NAMED_LINES = 20
"""The largest number of unreadable lines that one log line names; it counts all of them."""

KeyUseHandler = Callable[[object, LambdaContext], None]


def key_use_handler(environment: Mapping[str, str]) -> KeyUseHandler:
    """Build the handler of the key use function from its environment.

    The handler records the uses in a batch of log lines. It names and skips unreadable lines, so
    that no line blocks another. If the table does not respond, the handler raises: Lambda retries
    the batch, and finally puts it into the dead-letter queue. A successful batch is not logged,
    because batches are many and small.

    Raises:
        Misconfigured: a setting is wrong; the function does not start.
    """
    settings = read_key_use_settings(environment)
    recorder = UseRecorder(UseTable(dynamodb_client(), settings.use_table), time.time)
    logger = Logger(service=SERVICE, level=settings.log_level, location=None)
    metrics = EphemeralMetrics(service=SERVICE, namespace=settings.metrics_namespace)

    def skip(members: Mapping[str, object], count: int) -> None:
        logger.error("skipped", extra=dict(members))
        metrics.add_metric(name="MalformedKeyUses", unit=MetricUnit.Count, value=count)
        metrics.flush_metrics()

    def handler(event: object, context: LambdaContext) -> None:
        invocation = {"invocation_id": context.aws_request_id}
        try:
            batch = read_log_batch(event)
        except Unavailable as malformed:
            # A retry would not make it readable.
            skip({"reason": malformed.reason, "detail": malformed.detail, **invocation}, 1)
            return
        recorded = _recorded(recorder, batch)
        members = {"log_group": batch.log_group, "log_stream": batch.log_stream, **invocation}
        if isinstance(recorded, Unavailable):
            why = {"reason": recorded.reason, "detail": recorded.detail}
            logger.error("failed", extra={**why, **members})
            raise recorded
        if count := len(recorded.malformed):
            named = recorded.malformed[:MAX_NAMED_LINES]
            lines = [{"id": line_id, "fault": fault} for line_id, fault in named]
            skip({"skipped": count, "lines": lines, **members}, count)

    return handler


def _recorded(recorder: UseRecorder, batch: LogBatch) -> Recording | Unavailable:
    """Record a batch; return the result, or a new error to raise, without a cause."""
    try:
        return recorder.record(batch.lines)
    except Unavailable as unavailable:
        reason, detail = unavailable.reason, unavailable.detail
    except Exception as error:  # noqa: BLE001 - Lambda would log the text of any error
        reason, detail = Reason.INTERNAL_ERROR, type_and_place(error)
    return Unavailable(reason, detail)
