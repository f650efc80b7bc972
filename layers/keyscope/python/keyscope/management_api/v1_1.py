"""Service accounts, apps, and how their keys are shown, in the v1.1 shape of the Sunshine API."""

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from keyscope.management_api.keys import KeyFormat, KeyRoutes
from keyscope.management_api.paging import read_apps_offset_query, read_offset_query
from keyscope.management_api.request_bodies import (
    AppCreateBodyV11,
    AppUpdateBodyV11,
    KeyCreateBodyV11,
    KeyUpdateBodyV11,
    ServiceAccountBody,
)
from keyscope.management_api.request_context import AppId, RequestContext, ServiceAccountId
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

_KEYS = KeyFormat(
    KeyCreateBodyV11,
    KeyUpdateBodyV11,
    KeyAnswerV11,
    KeysAnswerV11,
    key_v11,
    operation_suffix="V11",
    tag_suffix=", v1.1",
)
APP_KEYS = KeyRoutes(
    _KEYS, OwnerType.APP, "/v1.1/apps/<ownerId>/keys", {"owner_id": "ownerId"}, "App"
)
SERVICE_ACCOUNT_KEYS = KeyRoutes(
    _KEYS,
    OwnerType.SERVICE_ACCOUNT,
    "/v1.1/serviceaccounts/<ownerId>/keys",
    {"owner_id": "ownerId"},
    "ServiceAccount",
)


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
        summary="List the account's apps. A service account lists those that it created",
    )
    def list_apps() -> AppsAnswerV11:
        position, limit, creator_id = read_apps_offset_query(context.query())
        page = context.management().list_apps(position, limit, creator_id)
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
        summary="Update an app. Settings and metadata are merged; null removes a member",
    )
    def update_app(app_id: AppId, body: AppUpdateBodyV11) -> AppAnswerV11:
        return {"app": app_v11(context.management().update_app(app_id, body.change()))}

    @api.delete(
        "/v1.1/apps/<appId>",
        operation_id="DeleteAppV11",
        tags=["Apps, v1.1"],
        summary="Delete an app and revoke all of its keys",
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
        summary="Create a service account. Its name must be unique within the account",
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
        summary="Delete a service account without apps, and revoke all of its keys",
    )
    def delete_service_account(service_account_id: ServiceAccountId) -> Nothing:
        context.management().delete_service_account(service_account_id)
        return {}
