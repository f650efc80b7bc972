"""The key that a request is made with: its holder sees it and ends it."""

from typing import assert_never

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from keyscope.access.policy import OWN_KEY_PATH
from keyscope.management_api.request_context import RequestContext
from keyscope.management_api.responses import Nothing, OwnKeyAnswer, own_key, own_key_of_token
from keyscope.model.principal import CredentialKind


def add_own_key(api: APIGatewayRestResolver, context: RequestContext) -> None:
    """Add the routes of the caller's own key."""
    tags = ["Own key"]

    @api.get(
        OWN_KEY_PATH,
        operation_id="GetOwnKey",
        tags=tags,
        summary="Get the caller's own key. A token gets only its id, scope, state and permissions",
    )
    def get_own_key() -> OwnKeyAnswer:
        management, now = context.management(), context.now()
        key, principal = management.get_own_key(), management.principal
        match principal.credential_kind:
            case CredentialKind.BASIC | CredentialKind.BEARER_SECRET:
                return {"key": own_key(key, now, context.last_use(key), principal.scope)}
            case CredentialKind.JWT:
                return {"key": own_key_of_token(key, now, principal)}
            case _:
                assert_never(principal.credential_kind)

    @api.delete(
        OWN_KEY_PATH,
        operation_id="EndOwnKey",
        tags=tags,
        summary="Revoke the caller's own key. A previous secret only ends its overlap; a token"
        " is rejected",
    )
    def end_own_key() -> Nothing:
        context.management().end_own_key()
        return {}
