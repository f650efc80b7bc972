"""The authorizer caches of API Gateway's stages. A flush empties a stage's whole cache."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.calls import error_code
from keyscope.aws.clients import ApiGatewayClient, ApiGatewayV2Client
from keyscope.errors import Reason, Unavailable

HTTP_API_STAGE: Final = "$default"
"""The stage that SAM gives an HTTP API."""


@dataclass(frozen=True, slots=True)
class StageCache:
    """The authorizer cache of one stage; `request_flush` asks API Gateway to flush it."""

    api_id: str
    stage_name: str
    request_flush: Callable[[], object]

    @property
    def name(self) -> str:
        """The API's id and the stage, for the log."""
        return f"{self.api_id}/{self.stage_name}"

    def flush(self) -> None:
        """Flush the cache; API Gateway does so asynchronously.

        Raises:
            Unavailable: `CACHE_NOT_FLUSHED`, also when the stage no longer exists.
        """
        try:
            self.request_flush()
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(Reason.CACHE_NOT_FLUSHED, error_code(error)) from None


def rest_stage_cache(client: ApiGatewayClient, api_id: str, stage_name: str) -> StageCache:
    """Return the cache of a REST API's stage, flushed by `FlushStageAuthorizersCache`."""
    request = partial(client.flush_stage_authorizers_cache, restApiId=api_id, stageName=stage_name)
    return StageCache(api_id, stage_name, request)


def http_stage_cache(client: ApiGatewayV2Client, api_id: str) -> StageCache:
    """Return the cache of an HTTP API's stage, flushed by `ResetAuthorizersCache`."""
    request = partial(client.reset_authorizers_cache, ApiId=api_id, StageName=HTTP_API_STAGE)
    return StageCache(api_id, HTTP_API_STAGE, request)
