"""Service accounts, apps and their keys, in the v1.1 shape of the Sunshine API."""

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from keyscope.management_api.paging import read_offset_query
from keyscope.management_api.request_bodies import (
    AppCreateBodyV11,
    AppUpdateBodyV11,
    KeyCreateBodyV11,
    KeyUpdateBodyV11,
    RotateBody,
    ServiceAccountBody,
)
from keyscope.management_api.request_context import (
    AppId,
    KeyId,
    OwnerId,
    RequestContext,
    ServiceAccountId,
)
from keyscope.management_api.responses import (
    AppAnswerV11,
    AppsAnswerV11,
    KeyAnswerV11,
    KeysAnswerV11,
    Nothing,
    ServiceAccountAnswer,
    ServiceAccountsAnswer,
    app_v11,
    key_v11,
    service_account,
)
from keyscope.model.ids import OwnerType


def add_apps(api: APIGatewayRestResolver, context: RequestContext) -> None:
    """Add the routes of apps."""

    @api.post(
        "/v1.1/apps",
        operation_id="CreateAppV11",
        tags=["Apps, v1.1"],
        status_code=201,
        summary="Create an app",
    )
    def create_app(body: AppCreateBodyV11) -> AppAnswerV11:
        return {"app": app_v11(context.management().create_app(body.request()))}

    @api.get(
        "/v1.1/apps",
        operation_id="ListAppsV11",
        tags=["Apps, v1.1"],
        summary="List the apps of the account, or those that the calling service account created",
    )
    def list_apps() -> AppsAnswerV11:
        position, limit = read_offset_query(context.query())
        page = context.management().list_apps(position, limit)
        return {
            "apps": [app_v11(app) for app in page.owners],
            "hasMore": page.has_more,
            "offset": position.skipped,
        }

    @api.get(
        "/v1.1/apps/<appId>", operation_id="GetAppV11", tags=["Apps, v1.1"], summary="Get an app"
    )
    def get_app(app_id: AppId) -> AppAnswerV11:
        return {"app": app_v11(context.management().get_app(app_id))}

    @api.put(
        "/v1.1/apps/<appId>",
        operation_id="UpdateAppV11",
        tags=["Apps, v1.1"],
        summary="Change an app. Settings and metadata are merged; a null removes a member",
    )
    def update_app(app_id: AppId, body: AppUpdateBodyV11) -> AppAnswerV11:
        return {"app": app_v11(context.management().update_app(app_id, body.change()))}

    @api.delete(
        "/v1.1/apps/<appId>",
        operation_id="DeleteAppV11",
        tags=["Apps, v1.1"],
        summary="Delete an app and revoke its keys, all at once",
    )
    def delete_app(app_id: AppId) -> Nothing:
        context.management().delete_app(app_id)
        return {}


def add_service_accounts(api: APIGatewayRestResolver, context: RequestContext) -> None:
    """Add the routes of service accounts."""
    tags = ["Service accounts"]
    path = "/v1.1/serviceaccounts/<serviceAccountId>"

    @api.post(
        "/v1.1/serviceaccounts",
        operation_id="CreateServiceAccount",
        tags=tags,
        status_code=201,
        summary="Create a service account, with a name of its own within the account",
    )
    def create_service_account(body: ServiceAccountBody) -> ServiceAccountAnswer:
        created = context.management().create_service_account(body.display_name)
        return {"serviceAccount": service_account(created)}

    @api.get(
        "/v1.1/serviceaccounts",
        operation_id="ListServiceAccounts",
        tags=tags,
        summary="List the service accounts of the account",
    )
    def list_service_accounts() -> ServiceAccountsAnswer:
        position, limit = read_offset_query(context.query())
        page = context.management().list_service_accounts(position, limit)
        return {
            "serviceAccounts": [service_account(owner) for owner in page.owners],
            "hasMore": page.has_more,
            "offset": position.skipped,
        }

    @api.get(path, operation_id="GetServiceAccount", tags=tags, summary="Get a service account")
    def get_service_account(service_account_id: ServiceAccountId) -> ServiceAccountAnswer:
        found = context.management().get_service_account(service_account_id)
        return {"serviceAccount": service_account(found)}

    @api.put(
        path, operation_id="UpdateServiceAccount", tags=tags, summary="Rename a service account"
    )
    def update_service_account(
        service_account_id: ServiceAccountId, body: ServiceAccountBody
    ) -> ServiceAccountAnswer:
        renamed = context.management().rename_service_account(service_account_id, body.display_name)
        return {"serviceAccount": service_account(renamed)}

    @api.delete(
        path,
        operation_id="DeleteServiceAccount",
        tags=tags,
        summary="Delete a service account that has no apps, and revoke its keys, all at once",
    )
    def delete_service_account(service_account_id: ServiceAccountId) -> Nothing:
        context.management().delete_service_account(service_account_id)
        return {}


def add_keys(
    api: APIGatewayRestResolver,
    context: RequestContext,
    owner_type: OwnerType,
    path: str,
    name: str,
) -> None:
    """Add the routes of keys below the path of their owner, whose placeholder is `ownerId`.

    `name` is part of the operation ids.
    """
    tags = [f"{name} keys, v1.1"]
    key_path = f"{path}/<keyId>"

    @api.post(
        path,
        operation_id=f"Create{name}KeyV11",
        tags=tags,
        status_code=201,
        summary="Create a key. Its secret is in this answer, and never again",
    )
    def create_key(owner_id: OwnerId, body: KeyCreateBodyV11) -> KeyAnswerV11:
        created = context.management().create_key(owner_type, owner_id, body.request())
        return {"key": key_v11(created.key, context.now(), created.secret)}

    @api.get(
        path,
        operation_id=f"List{name}KeysV11",
        tags=tags,
        summary="List the keys, the oldest first",
    )
    def list_keys(owner_id: OwnerId) -> KeysAnswerV11:
        keys = context.management().list_keys(owner_type, owner_id)
        return {"keys": [key_v11(key, context.now()) for key in keys]}

    @api.get(key_path, operation_id=f"Get{name}KeyV11", tags=tags, summary="Get a key")
    def get_key(owner_id: OwnerId, key_id: KeyId) -> KeyAnswerV11:
        found = context.management().get_key(owner_type, owner_id, key_id)
        return {"key": key_v11(found, context.now())}

    @api.patch(
        key_path,
        operation_id=f"Update{name}KeyV11",
        tags=tags,
        summary="Rename, limit, disable or enable a key. A null takes a limit away",
    )
    def update_key(owner_id: OwnerId, key_id: KeyId, body: KeyUpdateBodyV11) -> KeyAnswerV11:
        change = body.change(context.now())
        key = context.management().update_key(owner_type, owner_id, key_id, change)
        return {"key": key_v11(key, context.now())}

    @api.post(
        f"{key_path}/rotate",
        operation_id=f"Rotate{name}KeyV11",
        tags=tags,
        summary="Give a key a new secret, shown here only; the old one is accepted for the overlap",
    )
    def rotate_key(owner_id: OwnerId, key_id: KeyId, body: RotateBody) -> KeyAnswerV11:
        management = context.management()
        created = management.rotate_key(owner_type, owner_id, key_id, body.overlap_seconds)
        return {"key": key_v11(created.key, context.now(), created.secret)}

    @api.delete(
        f"{key_path}/overlap",
        operation_id=f"End{name}KeyOverlapV11",
        tags=tags,
        summary="Stop accepting the secret that the key had before its last rotation",
    )
    def end_overlap(owner_id: OwnerId, key_id: KeyId) -> KeyAnswerV11:
        key = context.management().end_overlap(owner_type, owner_id, key_id)
        return {"key": key_v11(key, context.now())}

    @api.delete(
        key_path, operation_id=f"Delete{name}KeyV11", tags=tags, summary="Revoke a key at once"
    )
    def delete_key(owner_id: OwnerId, key_id: KeyId) -> Nothing:
        context.management().delete_key(owner_type, owner_id, key_id)
        return {}
