"""Apps and their keys, in the v2 shape of the Sunshine API."""

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from keyscope.management_api.paging import links_of, meta_of, read_apps_query
from keyscope.management_api.request_bodies import (
    AppCreateBody,
    AppUpdateBody,
    KeyCreateBody,
    KeyUpdateBody,
    RotateBody,
)
from keyscope.management_api.request_context import AppId, KeyId, RequestContext
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

APP = OwnerType.APP


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
        summary="List the apps of the account, or those that the calling service account created",
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
        summary="Change an app. Settings and metadata are merged; a null removes a member",
    )
    def update_app(app_id: AppId, body: AppUpdateBody) -> AppAnswer:
        return {"app": app_v2(context.management().update_app(app_id, body.change()))}

    @api.delete(
        "/v2/apps/<appId>",
        operation_id="DeleteApp",
        tags=["Apps"],
        summary="Delete an app and revoke its keys, all at once",
    )
    def delete_app(app_id: AppId) -> Nothing:
        context.management().delete_app(app_id)
        return {}


def add_keys(api: APIGatewayRestResolver, context: RequestContext) -> None:
    """Add the routes of app keys."""

    @api.post(
        "/v2/apps/<appId>/keys",
        operation_id="CreateAppKey",
        tags=["App keys"],
        status_code=201,
        summary="Create a key. Its secret is in this answer, and never again",
    )
    def create_key(app_id: AppId, body: KeyCreateBody) -> KeyAnswer:
        created = context.management().create_key(APP, app_id, body.request())
        return {"key": key_v2(created.key, context.now(), created.secret)}

    @api.get(
        "/v2/apps/<appId>/keys",
        operation_id="ListAppKeys",
        tags=["App keys"],
        summary="List the keys of an app, the oldest first",
    )
    def list_keys(app_id: AppId) -> KeysAnswer:
        keys = context.management().list_keys(APP, app_id)
        return {"keys": [key_v2(key, context.now()) for key in keys]}

    @api.get(
        "/v2/apps/<appId>/keys/<keyId>",
        operation_id="GetAppKey",
        tags=["App keys"],
        summary="Get a key",
    )
    def get_key(app_id: AppId, key_id: KeyId) -> KeyAnswer:
        return {"key": key_v2(context.management().get_key(APP, app_id, key_id), context.now())}

    @api.patch(
        "/v2/apps/<appId>/keys/<keyId>",
        operation_id="UpdateAppKey",
        tags=["App keys"],
        summary="Rename, limit, disable or enable a key. A null takes a limit away",
    )
    def update_key(app_id: AppId, key_id: KeyId, body: KeyUpdateBody) -> KeyAnswer:
        change = body.change(context.now())
        key = context.management().update_key(APP, app_id, key_id, change)
        return {"key": key_v2(key, context.now())}

    @api.post(
        "/v2/apps/<appId>/keys/<keyId>/rotate",
        operation_id="RotateAppKey",
        tags=["App keys"],
        summary="Give a key a new secret, shown here only; the old one is accepted for the overlap",
    )
    def rotate_key(app_id: AppId, key_id: KeyId, body: RotateBody) -> KeyAnswer:
        created = context.management().rotate_key(APP, app_id, key_id, body.overlap_seconds)
        return {"key": key_v2(created.key, context.now(), created.secret)}

    @api.delete(
        "/v2/apps/<appId>/keys/<keyId>/overlap",
        operation_id="EndAppKeyOverlap",
        tags=["App keys"],
        summary="Stop accepting the secret that the key had before its last rotation",
    )
    def end_overlap(app_id: AppId, key_id: KeyId) -> KeyAnswer:
        key = context.management().end_overlap(APP, app_id, key_id)
        return {"key": key_v2(key, context.now())}

    @api.delete(
        "/v2/apps/<appId>/keys/<keyId>",
        operation_id="DeleteAppKey",
        tags=["App keys"],
        summary="Revoke a key at once",
    )
    def delete_key(app_id: AppId, key_id: KeyId) -> Nothing:
        context.management().delete_key(APP, app_id, key_id)
        return {}
