"""The routes of keys: defined once, for every version of the API and every kind of owner."""

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Annotated, NamedTuple, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.params import Path

from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.key_use import LastUse, Unused
from keyscope.management_api.request_bodies import KeyCreateBody, KeyUpdateBody, RotateBody
from keyscope.management_api.request_context import KeyId, RequestContext
from keyscope.management_api.responses import Nothing
from keyscope.model.ids import OwnerType

_Answer = Mapping[str, object]
_Handler = TypeVar("_Handler", bound=Callable[..., _Answer])


class KeyFormat(NamedTuple):
    """How a version of the API reads and shows keys.

    The ids of its operations end with `operation_suffix`, and its tags with `tag_suffix`.
    """

    create_body: type[KeyCreateBody]
    update_body: type[KeyUpdateBody]
    answer: type[object]
    list_answer: type[object]
    show: Callable[[Key, float, LastUse, str | None], _Answer]
    operation_suffix: str = ""
    tag_suffix: str = ""


class KeyRoutes(NamedTuple):
    """The keys of one kind of owner, or of an app's integrations, and their path.

    `ids` are the placeholders of the path, by the parameters of the handlers: `owner_id`, and
    `integration_id` if the keys are those of an integration. `name` is part of the operation ids,
    and `listed` describes the content of a list.
    """

    format: KeyFormat
    owner_type: OwnerType
    path: str
    ids: Mapping[str, str]
    name: str
    listed: str = "the keys"


def add_keys(api: APIGatewayRestResolver, context: RequestContext, routes: KeyRoutes) -> None:
    """Add the routes of the keys of one kind of owner, or of an app's integrations."""
    owner_type, format_, name, path = routes.owner_type, routes.format, routes.name, routes.path
    key_path = f"{path}/<keyId>"
    tags, suffix = [f"{name} keys{format_.tag_suffix}"], format_.operation_suffix
    held = {name: Annotated[str, Path(alias=alias)] for name, alias in routes.ids.items()}
    one = {**held, "return": format_.answer}

    def shown(key: Key, secret: str | None = None) -> _Answer:
        return {"key": format_.show(key, context.now(), context.last_use(key), secret)}

    @api.post(
        path,
        operation_id=f"Create{name}Key{suffix}",
        tags=tags,
        status_code=201,
        summary="Create a key. Only this response contains its secret",
    )
    @_annotated({**one, "body": format_.create_body})
    def create_key(
        owner_id: str, body: KeyCreateBody, integration_id: str | None = None
    ) -> _Answer:
        management = context.management(integration_id)
        created = management.create_key(owner_type, owner_id, body.request())
        return {"key": format_.show(created.key, context.now(), Unused.NEVER, created.secret)}

    @api.get(
        path,
        operation_id=f"List{name}Keys{suffix}",
        tags=tags,
        summary=f"List {routes.listed}, oldest first",
    )
    @_annotated({**held, "return": format_.list_answer})
    def list_keys(owner_id: str, integration_id: str | None = None) -> _Answer:
        keys = context.management(integration_id).list_keys(owner_type, owner_id)
        last_uses, now = context.last_uses(keys), context.now()
        return {"keys": [format_.show(key, now, last_uses[key.key_id], None) for key in keys]}

    @api.get(key_path, operation_id=f"Get{name}Key{suffix}", tags=tags, summary="Get a key")
    @_annotated(one)
    def get_key(owner_id: str, key_id: KeyId, integration_id: str | None = None) -> _Answer:
        return shown(context.management(integration_id).get_key(owner_type, owner_id, key_id))

    @api.patch(
        key_path,
        operation_id=f"Update{name}Key{suffix}",
        tags=tags,
        summary="Rename, limit, disable or enable a key. null removes a limit",
    )
    @_annotated({**one, "body": format_.update_body})
    def update_key(
        owner_id: str, key_id: KeyId, body: KeyUpdateBody, integration_id: str | None = None
    ) -> _Answer:
        change, management = body.change(context.now()), context.management(integration_id)
        return shown(management.update_key(owner_type, owner_id, key_id, change))

    @api.post(
        f"{key_path}/rotate",
        operation_id=f"Rotate{name}Key{suffix}",
        tags=tags,
        summary="Rotate a key's secret. Only this response contains the new one; the old one"
        " works during the overlap",
    )
    @_annotated(one)
    def rotate_key(
        owner_id: str, key_id: KeyId, body: RotateBody, integration_id: str | None = None
    ) -> _Answer:
        management = context.management(integration_id)
        created = management.rotate_key(owner_type, owner_id, key_id, body.overlap_seconds)
        return shown(created.key, created.secret)

    @api.delete(
        f"{key_path}/overlap",
        operation_id=f"End{name}KeyOverlap{suffix}",
        tags=tags,
        summary="End the overlap: stop accepting the key's previous secret",
    )
    @_annotated(one)
    def end_overlap(owner_id: str, key_id: KeyId, integration_id: str | None = None) -> _Answer:
        return shown(context.management(integration_id).end_overlap(owner_type, owner_id, key_id))

    @api.delete(
        key_path,
        operation_id=f"Delete{name}Key{suffix}",
        tags=tags,
        summary="Revoke a key",
    )
    @_annotated(held)
    def delete_key(owner_id: str, key_id: KeyId, integration_id: str | None = None) -> Nothing:
        context.management(integration_id).delete_key(owner_type, owner_id, key_id)
        return {}


def _annotated(types: Mapping[str, object]) -> Callable[[_Handler], _Handler]:
    """Replace some of a handler's annotations, from which Powertools validates and documents.

    An optional parameter without one is hidden: the routes have no such id.
    """

    def annotate(handler: _Handler) -> _Handler:
        signature = inspect.signature(handler)
        handler.__signature__ = signature.replace(  # type: ignore[attr-defined] # as PEP 362 has it
            parameters=[
                each.replace(annotation=types.get(name, each.annotation), default=Parameter.empty)
                for name, each in signature.parameters.items()
                if name in types or each.default is Parameter.empty
            ],
            return_annotation=types.get("return", signature.return_annotation),
        )
        return handler

    return annotate
