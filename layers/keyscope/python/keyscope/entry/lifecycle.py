"""From settings to the operations that create, change and delete accounts, apps and keys."""

import time

from keyscope.aws.audit_trail import EventBus
from keyscope.aws.clients import (
    dynamodb_client,
    events_client,
    kms_client,
    sqs_client,
    writing_dynamodb_client,
)
from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.aws.dynamodb.transactions import Database
from keyscope.aws.dynamodb.use_table import UseTable
from keyscope.aws.event_bus import Bus
from keyscope.aws.flush_queue import FlushQueue, QueuedFlushes
from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.aws.secret_sealing import SecretSealingBox
from keyscope.entry.settings import ProvisioningSettings
from keyscope.lifecycle.key_use import LastUses
from keyscope.lifecycle.operations import Provisioning


def provisioning(settings: ProvisioningSettings, function: str) -> Provisioning:
    """Build the operations on the real tables, KMS, queue and event bus.

    `function` is the `service` in the log and metrics.
    """
    telemetry = LifecycleTelemetry(function, settings.metrics_namespace)
    queue = FlushQueue(sqs_client(), settings.flush_queue_url, settings.key_cache_seconds)
    return Provisioning(
        directory=DirectoryTable(
            Database(writing_dynamodb_client()), settings.directory_table, settings.keys_table
        ),
        sealer=SecretSealingBox(kms_client(), settings.kms_key_arn),
        policies=QueuedFlushes(queue, telemetry),
        audit_trail=EventBus(Bus(events_client(), settings.event_bus), telemetry),
        uses=LastUses(
            UseTable(dynamodb_client(), settings.use_table),
            sees_all=settings.sees_all_use,
            report=telemetry.uses_unread,
        ),
        clock=time.time,
        max_apps_per_creator=settings.max_apps_per_creator,
    )
