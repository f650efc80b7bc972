"""From settings to the explanation function's handler."""

from collections.abc import Mapping
from functools import cache

from aws_lambda_powertools import Logger

from keyscope.access.access_map import read_access_map
from keyscope.access.rules import AccessMap
from keyscope.aws.clients import dynamodb_client, kms_client
from keyscope.entry.explained_authorizer import explaining_authorizer
from keyscope.entry.management import CORS_ALLOW_ORIGIN, ManagementHandler, handler_of, report
from keyscope.entry.settings import read_authorizer_settings
from keyscope.management_api.api import explanation_api

FUNCTION = "explanation"


def explanation_handler(environment: Mapping[str, str]) -> ManagementHandler:
    """Build the handler of the explanation function from the environment of an authorizer.

    Raises:
        Misconfigured: a setting or the access map is wrong; the function does not start.
    """
    settings = read_authorizer_settings(environment)
    logger = Logger(service=FUNCTION, level=settings.log_level, location=None)
    authorizer = explaining_authorizer(settings, dynamodb_client(), kms_client)

    # The policies do not contain the descriptions, and few containers ever list them.
    @cache
    def access_map() -> AccessMap:
        return read_access_map(settings.access_map, settings.route_sets)

    api = explanation_api(lambda: authorizer, access_map, lambda error: report(logger, error))
    return handler_of(api, logger, environment.get(CORS_ALLOW_ORIGIN))
