"""Apps and their keys, in the v2 shape of the Sunshine API."""

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from keyscope.aws.management.bodies import (
    AppCreateBody,
    AppUpdateBody,
    KeyCreateBody,
    KeyUpdateBody,
    RotateBody,
)
from keyscope.aws.management.calls import AppId, Calls, KeyId
from keyscope.aws.management.paging import links_of, meta_of, read_apps_query
from keyscope.aws.management.shapes import (
    AppAnswer,
    AppsAnswer,
    KeyAnswer,
    KeysAnswer,
    Nothing,
    app_v2,
    key_v2,
)
from keyscope.ids import OwnerType

APP = OwnerType.APP


def add_apps(api: APIGatewayRestResolver, calls: Calls) -> None:
    """Add the routes of apps."""

    @api.post("/v2/apps", operation_id="CreateApp", tags=["Apps"], status_code=201)
    def create_app(body: AppCreateBody) -> AppAnswer:
        """Create an app."""
        return {"app": app_v2(calls.management().create_app(body.request()))}

    @api.get("/v2/apps", operation_id="ListApps", tags=["Apps"])
    def list_apps() -> AppsAnswer:
        """List the apps of the account, or those that the calling service account created."""
        management = calls.management()
        query = read_apps_query(calls.query(), management.own_prefix)
        page = management.list_apps(query.position, query.size, query.creator_id)
        meta = meta_of(page, query.position)
        return {
            "apps": [app_v2(app) for app in page.owners],
            "meta": meta,
            "links": links_of(meta, calls.url(), query),
        }

    @api.get("/v2/apps/<appId>", operation_id="GetApp", tags=["Apps"])
    def get_app(app_id: AppId) -> AppAnswer:
        """Get an app."""
        return {"app": app_v2(calls.management().get_app(app_id))}

    @api.patch("/v2/apps/<appId>", operation_id="UpdateApp", tags=["Apps"])
    def update_app(app_id: AppId, body: AppUpdateBody) -> AppAnswer:
        """Change an app. Settings and metadata are merged; a null removes a member."""
        return {"app": app_v2(calls.management().update_app(app_id, body.change()))}

    @api.delete("/v2/apps/<appId>", operation_id="DeleteApp", tags=["Apps"])
    def delete_app(app_id: AppId) -> Nothing:
        """Delete an app and revoke its keys, all at once."""
        calls.management().delete_app(app_id)
        return {}


def add_keys(api: APIGatewayRestResolver, calls: Calls) -> None:
    """Add the routes of app keys."""

    @api.post(
        "/v2/apps/<appId>/keys", operation_id="CreateAppKey", tags=["App keys"], status_code=201
    )
    def create_key(app_id: AppId, body: KeyCreateBody) -> KeyAnswer:
        """Create a key. Its secret is in this answer, and never again."""
        created = calls.management().create_key(APP, app_id, body.request())
        return {"key": key_v2(created.key, calls.now(), created.secret)}

    @api.get("/v2/apps/<appId>/keys", operation_id="ListAppKeys", tags=["App keys"])
    def list_keys(app_id: AppId) -> KeysAnswer:
        """List the keys of an app, the oldest first."""
        keys = calls.management().list_keys(APP, app_id)
        return {"keys": [key_v2(key, calls.now()) for key in keys]}

    @api.get("/v2/apps/<appId>/keys/<keyId>", operation_id="GetAppKey", tags=["App keys"])
    def get_key(app_id: AppId, key_id: KeyId) -> KeyAnswer:
        """Get a key."""
        return {"key": key_v2(calls.management().get_key(APP, app_id, key_id), calls.now())}

    @api.patch("/v2/apps/<appId>/keys/<keyId>", operation_id="UpdateAppKey", tags=["App keys"])
    def update_key(app_id: AppId, key_id: KeyId, body: KeyUpdateBody) -> KeyAnswer:
        """Rename, limit, disable or enable a key. A null takes a limit away."""
        key = calls.management().update_key(APP, app_id, key_id, body.change())
        return {"key": key_v2(key, calls.now())}

    @api.post(
        "/v2/apps/<appId>/keys/<keyId>/rotate", operation_id="RotateAppKey", tags=["App keys"]
    )
    def rotate_key(app_id: AppId, key_id: KeyId, body: RotateBody) -> KeyAnswer:
        """Give a key a new secret, shown here only; the old one is accepted for the overlap."""
        created = calls.management().rotate_key(APP, app_id, key_id, body.overlap_seconds)
        return {"key": key_v2(created.key, calls.now(), created.secret)}

    @api.delete(
        "/v2/apps/<appId>/keys/<keyId>/overlap", operation_id="EndAppKeyOverlap", tags=["App keys"]
    )
    def end_overlap(app_id: AppId, key_id: KeyId) -> KeyAnswer:
        """Stop accepting the secret that the key had before its last rotation."""
        key = calls.management().end_overlap(APP, app_id, key_id)
        return {"key": key_v2(key, calls.now())}

    @api.delete("/v2/apps/<appId>/keys/<keyId>", operation_id="DeleteAppKey", tags=["App keys"])
    def delete_key(app_id: AppId, key_id: KeyId) -> Nothing:
        """Revoke a key at once."""
        calls.management().delete_key(APP, app_id, key_id)
        return {}
