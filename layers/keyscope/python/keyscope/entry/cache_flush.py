"""From settings to the stages' caches and the cache flush function's handler."""

from collections.abc import Callable, Mapping, Sequence

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from keyscope.aws.clients import api_gateway_client, api_gateway_v2_client
from keyscope.aws.stage_caches import StageCache, http_stage_cache, rest_stage_cache
from keyscope.entry.authorizer import LambdaContext
from keyscope.entry.settings import CacheFlushSettings, read_cache_flush_settings
from keyscope.errors import Reason, Unavailable, type_and_place

SERVICE = "cache_flush"

CacheFlushHandler = Callable[[object, LambdaContext], None]


def cache_flush_handler(environment: Mapping[str, str]) -> CacheFlushHandler:
    """Build the handler of the cache flush function from its environment.

    The handler flushes each stage once per invocation, whatever the batch contains, and also when
    invoked by hand. When a flush fails, it raises, so that SQS delivers the messages again.

    Raises:
        Misconfigured: a setting is wrong; the function does not start.
    """
    settings = read_cache_flush_settings(environment)
    caches = _stage_caches(settings)
    logger = Logger(service=SERVICE, level=settings.log_level, location=None)
    metrics = EphemeralMetrics(service=SERVICE, namespace=settings.metrics_namespace)

    def handler(event: object, context: LambdaContext) -> None:
        flushed, failures = _flush(caches)
        metrics.add_metric(name="CacheFlushes", unit=MetricUnit.Count, value=len(flushed))
        metrics.add_metric(name="CacheFlushFailures", unit=MetricUnit.Count, value=len(failures))
        metrics.flush_metrics()
        members = {
            "messages": _message_count(event),
            "flushed": flushed,
            "invocation_id": context.aws_request_id,
        }
        if failures:
            logger.error("failed", extra=members | {"failures": failures})
            raise Unavailable(Reason.CACHE_NOT_FLUSHED, ", ".join(failures))
        logger.info("flushed", extra=members)

    return handler


def _stage_caches(settings: CacheFlushSettings) -> Sequence[StageCache]:
    rest = rest_stage_cache(api_gateway_client(), settings.rest_api_id, settings.stage_name)
    if not settings.http_api_id:
        return [rest]
    return [rest, http_stage_cache(api_gateway_v2_client(), settings.http_api_id)]


def _flush(caches: Sequence[StageCache]) -> tuple[list[str], list[str]]:
    """Flush every cache; return the names of the flushed ones, and the reasons of the failures."""
    flushed, failures = [], []
    for cache in caches:
        try:
            cache.flush()
        except Unavailable as unavailable:
            # Still flush the next stage.
            failures.append(f"{cache.name}: {unavailable.detail}")
        except Exception as error:  # noqa: BLE001 - Lambda would log the text of any error
            failures.append(f"{cache.name}: {type_and_place(error)}")
        else:
            flushed.append(cache.name)
    return flushed, failures


def _message_count(event: object) -> int:
    records = event.get("Records") if isinstance(event, dict) else None
    return len(records) if isinstance(records, list) else 0
