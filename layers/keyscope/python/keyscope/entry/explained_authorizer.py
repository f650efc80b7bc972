"""Settings and clients -> the authorizer that explanations ask: it reads every record anew."""

import time
from collections.abc import Callable

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.authorize.pipeline import Authorizer
from keyscope.aws.clients import DynamoDbClient, KmsClient
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.entry.settings import AuthorizerSettings


def explaining_authorizer(
    settings: AuthorizerSettings, dynamodb: DynamoDbClient, make_kms: Callable[[], KmsClient]
) -> Authorizer:
    """Make an authorizer of the settings, without the caches: neither records nor secrets stay.

    Raises:
        Misconfigured: when the access map is wrong.
    """
    access_map = read_access_map(settings.access_map, settings.route_sets)
    return Authorizer(
        keys=KeyTable(dynamodb, settings.keys_table),
        secrets=SecretOpeningBox(make_kms, settings.kms_key_arn, max_entries=0),
        policies=prepare_policies(
            access_map,
            settings.max_stage_length,
            conditions=settings.policy_conditions,
            region=settings.region,
        ),
        clock=time.time,
        timer=time.perf_counter,
        leeway_seconds=settings.leeway_seconds,
    )
