"""Apps, and how their keys are shown, in the v2 shape of the Sunshine API."""

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from keyscope.management_api.keys import KeyFormat, KeyRoutes
from keyscope.management_api.paging import links_of, meta_of, read_apps_query
from keyscope.management_api.request_bodies import (
    AppCreateBody,
    AppKeyCreateBody,
    AppUpdateBody,
    KeyCreateBody,
    KeyUpdateBody,
)
from keyscope.management_api.request_context import AppId, RequestContext
from keyscope.management_api.responses import (
    AppAnswer,
    AppsAnswer,
    KeyAnswer,
    KeysAnswer,
    Nothing,
    app_v2,
    key_v2,
)
from keyscope.model.ids import OwnerType

_KEYS = KeyFormat(KeyCreateBody, KeyUpdateBody, KeyAnswer, KeysAnswer, key_v2)
APP_KEYS = KeyRoutes(
    _KEYS._replace(create_body=AppKeyCreateBody),
    OwnerType.APP,
    "/v2/apps/<appId>/keys",
    {"owner_id": "appId"},
    "App",
    "an app's keys, including those of its integrations",
)
INTEGRATION_KEYS = KeyRoutes(
    _KEYS,
    OwnerType.APP,
    "/v2/apps/<appId>/integrations/<integrationId>/keys",
    {"owner_id": "appId", "integration_id": "integrationId"},
    "Integration",
    "an integration's keys",
)


def add_apps(api: APIGatewayRestResolver, context: RequestContext) -> None:
    """Add the routes of apps."""

    @api.post(
        "/v2/apps",
        operation_id="CreateApp",
        tags=["Apps"],
        status_code=201,
        summary="Create an app",
    )
    def create_app(body: AppCreateBody) -> AppAnswer:
        return {"app": app_v2(context.management().create_app(body.request()))}

    @api.get(
        "/v2/apps",
        operation_id="ListApps",
        tags=["Apps"],
        summary="List the account's apps. A service account lists those that it created",
    )
    def list_apps() -> AppsAnswer:
        management = context.management()
        query = read_apps_query(context.query(), management.own_prefix)
        page = management.list_apps(query.position, query.size, query.creator_id)
        meta = meta_of(page, query.position)
        return {
            "apps": [app_v2(app) for app in page.owners],
            "meta": meta,
            "links": links_of(meta, context.url(), query),
        }

    @api.get("/v2/apps/<appId>", operation_id="GetApp", tags=["Apps"], summary="Get an app")
    def get_app(app_id: AppId) -> AppAnswer:
        return {"app": app_v2(context.management().get_app(app_id))}

    @api.patch(
        "/v2/apps/<appId>",
        operation_id="UpdateApp",
        tags=["Apps"],
        summary="Update an app. Settings and metadata are merged; null removes a member",
    )
    def update_app(app_id: AppId, body: AppUpdateBody) -> AppAnswer:
        return {"app": app_v2(context.management().update_app(app_id, body.change()))}

    @api.delete(
        "/v2/apps/<appId>",
        operation_id="DeleteApp",
        tags=["Apps"],
        summary="Delete an app and revoke all of its keys",
    )
    def delete_app(app_id: AppId) -> Nothing:
        context.management().delete_app(app_id)
        return {}
