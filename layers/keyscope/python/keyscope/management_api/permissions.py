"""Lists the permissions that keys can be limited to, as the access map defines them."""

from collections.abc import Callable

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from typing_extensions import TypedDict

from keyscope.access.rules import AccessMap, Permission
from keyscope.errors import Forbidden
from keyscope.management_api.request_context import caller_of
from keyscope.model.scopes import Scope


class ReachedShape(TypedDict):
    """Methods and a path that a permission allows one scope."""

    scope: str
    methods: list[str]
    path: str


class PermissionShape(TypedDict):
    """A permission. The description is empty if the access map gives none."""

    name: str
    description: str
    reach: list[ReachedShape]
    websocketScopes: list[str]


class PermissionsAnswer(TypedDict):
    """The permissions of the deployed access map, in its order."""

    permissions: list[PermissionShape]


def add_permissions(api: APIGatewayRestResolver, access_map: Callable[[], AccessMap]) -> None:
    """Add the route of permissions."""

    @api.get(
        "/v2/permissions",
        operation_id="ListPermissions",
        tags=["Permissions"],
        summary="List the permissions that keys can be limited to, with what each one reaches",
    )
    def list_permissions() -> PermissionsAnswer:
        if caller_of(api).scope is not Scope.ACCOUNT:
            raise Forbidden
        named = access_map().permissions
        return {"permissions": [_shown(name, permission) for name, permission in named.items()]}


def _shown(name: str, permission: Permission) -> PermissionShape:
    return {
        "name": name,
        "description": permission.description,
        "reach": [
            {"scope": grantee.value, "methods": list(rule.methods), "path": rule.path}
            for grantee, rules in permission.rules.items()
            for rule in rules
        ],
        "websocketScopes": sorted(permission.websocket_scopes),
    }
