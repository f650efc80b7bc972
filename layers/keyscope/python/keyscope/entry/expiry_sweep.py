"""From settings to the expiry sweep and its function's handler."""

import time
from collections.abc import Callable, Mapping
from typing import assert_never

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from keyscope.aws.clients import events_client, writing_dynamodb_client
from keyscope.aws.dynamodb.key_expiry import IndexedKeys, WarningsTable
from keyscope.aws.dynamodb.transactions import Database
from keyscope.aws.event_bus import Bus
from keyscope.aws.expiry_events import ExpiryEvents
from keyscope.entry.authorizer import LambdaContext
from keyscope.entry.settings import read_expiry_sweep_settings
from keyscope.errors import Reason, Unavailable, type_and_place
from keyscope.lifecycle.key_expiry import ExpirySweep, NotSent, Sent

SERVICE = "expiry_sweep"

ExpirySweepHandler = Callable[[object, LambdaContext], None]


def expiry_sweep_handler(
    environment: Mapping[str, str], clock: Callable[[], float] = time.time
) -> ExpirySweepHandler:
    """Build the handler of the expiry sweep function from its environment.

    Each invocation is one sweep, whatever its event contains. If a warning cannot be sent, the
    handler sends the others and then raises, so that Lambda retries. `clock` returns seconds since
    the epoch.

    Raises:
        Misconfigured: a setting is wrong; the function does not start.
    """
    settings = read_expiry_sweep_settings(environment)
    database = Database(writing_dynamodb_client())
    bus = ExpiryEvents(Bus(events_client(), settings.event_bus))
    logger = Logger(service=SERVICE, level=settings.log_level, location=None)
    metrics = EphemeralMetrics(service=SERVICE, namespace=settings.metrics_namespace)

    def handler(_: object, context: LambdaContext) -> None:
        sweep = ExpirySweep(
            IndexedKeys(database, settings.keys_table),
            WarningsTable(database, settings.warnings_table),
            bus,
            clock,
        )
        sent = failures = 0
        try:
            for outcome in sweep.run():
                match outcome:
                    case Sent():
                        sent += 1
                        logger.info("key expiring", extra={"event": outcome.warning.detail()})
                    case NotSent():
                        failures += 1
                        what = {"key_id": outcome.key_id, "detail": outcome.detail}
                        logger.error("expiry warning not sent", extra=what)
                    case _:
                        assert_never(outcome)
        except Unavailable as unavailable:
            failures += 1
            logger.error("sweep ended early", extra={"detail": unavailable.detail})  # noqa: TRY400
        except Exception as error:  # noqa: BLE001 - Lambda would log the text of any error
            failures += 1
            logger.error("sweep ended early", extra={"detail": type_and_place(error)})  # noqa: TRY400
        metrics.add_metric(name="ExpiryWarnings", unit=MetricUnit.Count, value=sent)
        metrics.add_metric(name="ExpirySweepFailures", unit=MetricUnit.Count, value=failures)
        metrics.flush_metrics()
        members = {"sent": sent, "failures": failures, "invocation_id": context.aws_request_id}
        if failures:
            logger.error("failed", extra=members)
            raise Unavailable(Reason.EXPIRY_WARNINGS_NOT_SENT, str(failures))
        logger.info("swept", extra=members)

    return handler
