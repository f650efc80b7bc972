"""The Sunshine Conversations client from PyPI, unmodified, against the local gateway over HTTP."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from sunshine_conversations_client.api.app_keys_api import AppKeysApi
from sunshine_conversations_client.api.apps_api import AppsApi
from sunshine_conversations_client.api_client import ApiClient
from sunshine_conversations_client.configuration import Configuration
from sunshine_conversations_client.exceptions import (
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
)
from sunshine_conversations_client.model.app import App
from sunshine_conversations_client.model.app_create_body import AppCreateBody
from sunshine_conversations_client.model.app_key import AppKey
from sunshine_conversations_client.model.app_key_create_body import AppKeyCreateBody
from sunshine_conversations_client.model.app_list_filter import AppListFilter
from sunshine_conversations_client.model.app_list_response import AppListResponse
from sunshine_conversations_client.model.app_settings import AppSettings
from sunshine_conversations_client.model.app_update_body import AppUpdateBody
from sunshine_conversations_client.model.error import Error
from sunshine_conversations_client.model.error_response import ErrorResponse
from sunshine_conversations_client.model.meta import Meta
from sunshine_conversations_client.model.page import Page

from keyscope.model.ids import owner_type_of_key
from keyscope.model.scopes import SCOPE_OF_BASIC
from keyscope.model.secret import new_secret
from local.tour.event_values import bearer
from local.tour.seed import IssuedKey, SeededStore, seed
from tests.support.served_template import ServedTemplate, served_template

pytestmark = pytest.mark.client

SETTINGS: Final = AppSettings(
    conversationRetentionSeconds=86_400,
    maskCreditCardNumbers=True,
    useAnimalNames=False,
    echoPostback=True,
    ignoreAutoConversationStart=False,
    multiConvoEnabled=True,
    appLocalizationEnabled=False,
)
METADATA: Final = {"team": "blue", "floor": 3, "share": 0.5, "open": True}


@pytest.fixture(scope="module")
def running() -> Iterator[ServedTemplate]:
    with served_template({"KeyCacheSeconds": "0"}) as running:
        yield running


@pytest.fixture
def store(running: ServedTemplate) -> SeededStore:
    """An account of the test's own."""
    return seed(running.operations)


Connect = Callable[[IssuedKey], ApiClient]


def configured_with_basic(url: str, key: IssuedKey) -> Configuration:
    return Configuration(host=url, username=key.key_id, password=key.secret)


def configured_with_token(url: str, key: IssuedKey) -> Configuration:
    scope = SCOPE_OF_BASIC[owner_type_of_key(key.key_id)].value
    token = bearer(key, {"scope": scope}).removeprefix("Bearer ")
    return Configuration(host=url, access_token=token)


@pytest.fixture(params=[configured_with_basic, configured_with_token], ids=["Basic", "JWT"])
def connect(request: pytest.FixtureRequest, running: ServedTemplate) -> Iterator[Connect]:
    """Make clients that send a key by one of the two schemes."""
    clients: list[ApiClient] = []

    def connect_with(key: IssuedKey) -> ApiClient:
        clients.append(ApiClient(request.param(running.urls[0], key)))
        return clients[-1]

    yield connect_with
    for client in clients:
        client.rest_client.pool_manager.clear()


@pytest.fixture
def apps(connect: Connect, store: SeededStore) -> AppsApi:
    return AppsApi(connect(store.account_key))


@pytest.fixture
def keys(connect: Connect, store: SeededStore) -> AppKeysApi:
    return AppKeysApi(connect(store.account_key))


def ids_of(answer: AppListResponse) -> list[str | None]:
    assert answer.apps is not None
    return [app.id for app in answer.apps]


def meta_of(answer: AppListResponse) -> Meta:
    assert answer.meta is not None
    return answer.meta


def created_key(keys: AppKeysApi, app_id: str, name: str = "Key") -> AppKey:
    key = keys.create_app_key(app_id, AppKeyCreateBody(displayName=name)).key
    assert key is not None
    return key


def issued(key: AppKey) -> IssuedKey:
    assert key.id is not None
    assert key.secret is not None
    return IssuedKey(key.id, key.secret)


def test_an_app_is_created_with_its_settings_and_metadata(apps: AppsApi) -> None:
    body = AppCreateBody(displayName="Bakery", settings=SETTINGS, metadata=METADATA)
    app = apps.create_app(body).app
    assert app is not None
    assert app.id is not None
    assert app == App(id=app.id, displayName="Bakery", settings=SETTINGS, metadata=METADATA)
    assert apps.get_app(app.id).app == app


def test_an_app_is_created_with_a_name_alone(apps: AppsApi) -> None:
    app = apps.create_app(AppCreateBody(displayName="Bakery")).app
    assert app is not None
    assert app == App(id=app.id, displayName="Bakery", settings=AppSettings(), metadata={})


def test_an_app_is_updated_and_keeps_what_was_not_sent(apps: AppsApi) -> None:
    body = AppCreateBody(displayName="Bakery", settings=SETTINGS, metadata={"a": 1, "b": 2})
    before = apps.create_app(body).app
    assert before is not None
    assert before.id is not None
    change = AppUpdateBody(
        displayName="Shop", settings=AppSettings(echoPostback=False), metadata={"a": None, "c": 3}
    )
    after = apps.update_app(before.id, change).app
    assert after == App(
        id=before.id,
        displayName="Shop",
        settings=SETTINGS.model_copy(update={"echo_postback": False}),
        metadata={"b": 2, "c": 3},
    )
    assert apps.get_app(before.id).app == after


def test_a_deleted_app_is_gone(apps: AppsApi, store: SeededStore) -> None:
    assert apps.delete_app(store.app_id) == {}
    with pytest.raises(NotFoundException):
        apps.get_app(store.app_id)
    assert ids_of(apps.list_apps()) == [store.service_account_app_id]


def test_a_list_is_paged_to_its_end_and_back(
    apps: AppsApi, store: SeededStore, running: ServedTemplate
) -> None:
    created = [running.operations.create_app(store.account_id, f"App {n}") for n in range(5)]
    ids = sorted([store.app_id, store.service_account_app_id, *(app.owner_id for app in created)])
    pages = [apps.list_apps(page=Page(size=3))]
    for _ in range(2):
        after = meta_of(pages[-1]).after_cursor
        pages.append(apps.list_apps(page=Page(size=3, after=after)))
    assert [ids_of(page) for page in pages] == [ids[:3], ids[3:6], ids[6:]]
    assert [meta_of(page).has_more for page in pages] == [True, True, False]
    assert meta_of(pages[-1]).after_cursor is None

    back = [pages[-1]]
    for _ in range(2):
        before = meta_of(back[-1]).before_cursor
        back.append(apps.list_apps(page=Page(size=3, before=before)))
    assert [ids_of(page) for page in back] == [ids[6:], ids[3:6], ids[:3]]
    assert meta_of(back[-1]).before_cursor is None


def test_a_list_can_be_limited_to_a_service_accounts_apps(
    apps: AppsApi, store: SeededStore
) -> None:
    criteria = AppListFilter(serviceAccountId=store.service_account_id)
    assert ids_of(apps.list_apps(filter=criteria)) == [store.service_account_app_id]
    assert len(ids_of(apps.list_apps())) == 2


def test_a_service_account_sees_the_apps_only_that_it_created(
    connect: Connect, store: SeededStore
) -> None:
    apps = AppsApi(connect(store.service_account_key))
    created = apps.create_app(AppCreateBody(displayName="Mine")).app
    assert created is not None
    assert created.id is not None
    assert ids_of(apps.list_apps()) == sorted([store.service_account_app_id, created.id])
    with pytest.raises(ForbiddenException):
        apps.get_app(store.app_id)


def test_a_key_is_created_with_its_secret_and_shown_without_it(
    keys: AppKeysApi, store: SeededStore
) -> None:
    app_id = store.service_account_app_id
    first, second = created_key(keys, app_id, "First"), created_key(keys, app_id, "Second")
    assert [key.display_name for key in (first, second)] == ["First", "Second"]
    assert len({issued(key).secret for key in (first, second)}) == 2
    shown = [AppKey(id=key.id, displayName=key.display_name) for key in (first, second)]
    assert keys.get_app_key(app_id, issued(first).key_id).key == shown[0]
    listed = keys.list_app_keys(app_id).keys
    assert listed is not None
    assert {key.id: key for key in listed} == {key.id: key for key in shown}


def test_a_created_key_opens_its_own_app_and_no_other(
    connect: Connect, keys: AppKeysApi, store: SeededStore
) -> None:
    app_id = store.service_account_app_id
    with_key = AppsApi(connect(issued(created_key(keys, app_id))))
    app = with_key.get_app(app_id).app
    assert app is not None
    assert (app.id, app.display_name) == (app_id, "Staging")
    with pytest.raises(ForbiddenException):
        with_key.get_app(store.app_id)


def test_a_deleted_key_is_gone(keys: AppKeysApi, store: SeededStore) -> None:
    app_id = store.service_account_app_id
    key = issued(created_key(keys, app_id))
    assert keys.delete_app_key(app_id, key.key_id) == {}
    with pytest.raises(NotFoundException):
        keys.get_app_key(app_id, key.key_id)
    assert keys.list_app_keys(app_id).keys == []


def test_a_deleted_key_opens_nothing(
    connect: Connect, keys: AppKeysApi, store: SeededStore
) -> None:
    app_id = store.service_account_app_id
    key = issued(created_key(keys, app_id))
    keys.delete_app_key(app_id, key.key_id)
    with pytest.raises(UnauthorizedException):
        AppsApi(connect(key)).get_app(app_id)


def test_an_eleventh_key_is_a_conflict(keys: AppKeysApi, store: SeededStore) -> None:
    app_id = store.service_account_app_id
    for _ in range(10):
        created_key(keys, app_id)
    with pytest.raises(ConflictException) as caught:
        created_key(keys, app_id)
    told = ErrorResponse.from_json(str(caught.value.body))
    assert told is not None
    assert told.errors is not None
    assert [error.code for error in told.errors] == ["too_many_keys"]


def test_a_wrong_secret_is_unauthorized(connect: Connect, store: SeededStore) -> None:
    wrong = IssuedKey(store.account_key.key_id, new_secret(store.account_key.key_id))
    with pytest.raises(UnauthorizedException) as caught:
        AppsApi(connect(wrong)).list_apps()
    told = ErrorResponse.from_json(str(caught.value.body))
    title = "Authorization is required"
    assert told == ErrorResponse(errors=[Error(code="unauthorized", title=title)])


def test_an_app_key_may_not_manage(connect: Connect, store: SeededStore) -> None:
    client = connect(store.app_key)
    with pytest.raises(ForbiddenException):
        AppsApi(client).create_app(AppCreateBody(displayName="Bakery"))
    with pytest.raises(ForbiddenException):
        AppKeysApi(client).list_app_keys(store.app_id)


def test_what_is_not_there_is_told_as_the_client_knows_it(
    apps: AppsApi, store: SeededStore
) -> None:
    with pytest.raises(NotFoundException) as caught:
        apps.get_app(f"{store.account_id}0000ffffffff")
    error = Error(code="app_not_found", title="There is no such app")
    assert caught.value.data == ErrorResponse(errors=[error])


def test_a_bad_body_is_told_with_every_fault(apps: AppsApi) -> None:
    nested = {"deep": {"a": 1}, "list": [1]}
    with pytest.raises(BadRequestException) as caught:
        apps.create_app(AppCreateBody(displayName="Bakery", metadata=nested))
    must = "must be a string, a finite number, a boolean or null"
    assert caught.value.data == ErrorResponse(
        errors=[
            Error(code="bad_request", title=f"metadata.{name} {must}") for name in ("deep", "list")
        ]
    )


def test_a_page_has_only_one_direction(apps: AppsApi, store: SeededStore) -> None:
    with pytest.raises(BadRequestException):
        apps.list_apps(page=Page(after=store.app_id, before=store.app_id))
