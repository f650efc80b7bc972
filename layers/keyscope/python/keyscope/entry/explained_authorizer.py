"""From settings and clients to the authorizer that explanations run, which caches nothing."""

from collections.abc import Callable

from keyscope.authorize.pipeline import Authorizer
from keyscope.aws.clients import DynamoDbClient, KmsClient
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.entry.authorizer import build_authorizer, build_policies
from keyscope.entry.settings import AuthorizerSettings


def explaining_authorizer(
    settings: AuthorizerSettings, dynamodb: DynamoDbClient, make_kms: Callable[[], KmsClient]
) -> Authorizer:
    """Build an authorizer that reads every record and decrypts every secret again.

    Raises:
        Misconfigured: the access map is wrong.
    """
    policies = build_policies(settings)
    return build_authorizer(
        settings,
        policies,
        KeyTable(dynamodb, settings.keys_table, policies.permissions.keys()),
        SecretOpeningBox(make_kms, settings.kms_key_arn, max_entries=0),
    )
