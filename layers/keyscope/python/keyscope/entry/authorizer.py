"""From settings to an authorizer, and to the handler of an authorizer function."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from keyscope.access.checked_map import load_access_map
from keyscope.access.policy import Policies, prepare_policies
from keyscope.authorize.answer import Answer, Undecided, answer
from keyscope.authorize.event import AuthorizerRequest, request_id_of
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.authorize.rendered_policies import RenderedPolicies
from keyscope.aws.deadline import Deadlines
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.aws.reader import aws_reader
from keyscope.aws.telemetry import Telemetry, TelemetrySettings
from keyscope.entry import snapshot
from keyscope.entry.settings import AuthorizerSettings, read_authorizer_settings
from keyscope.errors import Reason, type_and_place
from keyscope.model.key_record import KeyStore, SecretOpener


class LambdaContext(Protocol):
    """The part of Lambda's context that handlers use."""

    @property
    def aws_request_id(self) -> str:
        """Lambda's id for the invocation."""
        ...


AuthorizerHandler = Callable[[object, LambdaContext], Answer]


def authorizer_handler(
    function: str,
    read_event: Callable[[object], AuthorizerRequest],
    environment: Mapping[str, str],
) -> AuthorizerHandler:
    """Build the handler of an authorizer function from its environment.

    Raises:
        Misconfigured: a setting or the access map is wrong; the function does not start.
    """
    settings = read_authorizer_settings(environment)
    policies = build_policies(settings)
    telemetry = Telemetry(
        function,
        TelemetrySettings(
            settings.log_level, settings.log_allowed_sample, settings.metrics_namespace
        ),
        policies.largest_bytes,
        settings.key_cache_entries,
    )
    deadlines = Deadlines()
    reader = aws_reader(deadlines, telemetry.calls_by_botocore, botocore=settings.uses_botocore)
    table = KeyTable(reader, settings.keys_table, policies.permissions.keys())
    keys = KeyCache(
        table,
        time.time,
        fresh_seconds=settings.key_cache_seconds,
        stale_seconds=settings.stale_seconds,
        max_entries=settings.key_cache_entries,
        timer=time.monotonic,
        wait_seconds=deadlines.remaining_seconds,
    )
    secrets = SecretOpeningBox(
        lambda: reader,
        settings.kms_key_arn,
        settings.key_cache_entries,
        deadlines.remaining_seconds,
    )
    authorizer = build_authorizer(settings, policies, keys, secrets)
    if snapshot.is_taken(environment):
        snapshot.before_snapshot(
            lambda: snapshot.prepare(table, reader, settings.kms_key_arn, telemetry)
        )

    def handler(event: object, context: LambdaContext) -> Answer:
        deadlines.begin_request()
        try:
            decision = authorize(event, read_event, authorizer)
            telemetry.record(decision, request_id_of(event), context.aws_request_id)
        except Exception as error:  # noqa: BLE001 - Lambda logs the text of any exception
            failure = f"{Reason.INTERNAL_ERROR}: {type_and_place(error)}"
        else:
            return answer(decision)
        raise Undecided(failure)

    return handler


def build_policies(settings: AuthorizerSettings) -> Policies:
    """Prepare the policies of an authorizer's access map.

    Raises:
        Misconfigured: the access map is wrong.
    """
    return prepare_policies(
        load_access_map(settings.access_map, settings.route_sets),
        settings.max_stage_length,
        conditions=settings.policy_conditions,
        region=settings.region,
    )


def build_authorizer(
    settings: AuthorizerSettings, policies: Policies, keys: KeyStore, secrets: SecretOpener
) -> Authorizer:
    """Build an authorizer from its settings, policies, key store and the opener of its secrets."""
    return Authorizer(
        keys=keys,
        secrets=secrets,
        policies=policies,
        clock=time.time,
        timer=time.perf_counter,
        leeway_seconds=settings.leeway_seconds,
        rendered=RenderedPolicies(policies),
    )
