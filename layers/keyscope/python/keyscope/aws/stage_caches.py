"""The authorizer caches of API Gateway's stages. A flush empties a stage's whole cache."""

from dataclasses import dataclass
from typing import Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.clients import ApiGatewayClient, ApiGatewayV2Client
from keyscope.aws.key_table import error_code
from keyscope.errors import Reason, Unavailable

HTTP_API_STAGE: Final = "$default"
"""The stage that SAM gives an HTTP API."""


class StageCache(Protocol):
    """The authorizer cache of one stage."""

    @property
    def name(self) -> str:
        """The API's id and the stage, for the log."""
        ...

    def flush(self) -> None:
        """Flush it; API Gateway does so asynchronously.

        Raises:
            Unavailable: `CACHE_NOT_FLUSHED`, also when the stage is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class RestStageCache:
    """The authorizer cache of a REST API's stage."""

    client: ApiGatewayClient
    api_id: str
    stage_name: str

    @property
    def name(self) -> str:
        """The API's id and the stage, for the log."""
        return f"{self.api_id}/{self.stage_name}"

    def flush(self) -> None:
        """Flush it by `FlushStageAuthorizersCache`.

        Raises:
            Unavailable: `CACHE_NOT_FLUSHED`, also when the stage is gone.
        """
        try:
            self.client.flush_stage_authorizers_cache(
                restApiId=self.api_id, stageName=self.stage_name
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(Reason.CACHE_NOT_FLUSHED, error_code(error)) from None


@dataclass(frozen=True, slots=True)
class HttpStageCache:
    """The authorizer cache of an HTTP API's stage."""

    client: ApiGatewayV2Client
    api_id: str
    stage_name: str

    @property
    def name(self) -> str:
        """The API's id and the stage, for the log."""
        return f"{self.api_id}/{self.stage_name}"

    def flush(self) -> None:
        """Flush it by `ResetAuthorizersCache`.

        Raises:
            Unavailable: `CACHE_NOT_FLUSHED`, also when the stage is gone.
        """
        try:
            self.client.reset_authorizers_cache(ApiId=self.api_id, StageName=self.stage_name)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(Reason.CACHE_NOT_FLUSHED, error_code(error)) from None
