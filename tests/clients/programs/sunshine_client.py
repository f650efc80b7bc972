"""Calls the Sunshine Conversations API with the client from PyPI, as each credential.

Reads the URL, the ids and the credentials from standard input and writes a line for each call:
what the client returned, or what its exception says.
"""

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from sunshine_conversations_client import (
    ActivitiesApi,
    ActivityPost,
    ApiClient,
    ApiException,
    AppCreateBody,
    AppKeyCreateBody,
    AppKeysApi,
    AppListFilter,
    AppsApi,
    AppSettings,
    AppUpdateBody,
    AttachmentDeleteBody,
    AttachmentsApi,
    ClientCreate,
    ClientsApi,
    Configuration,
    ConversationCreateBody,
    ConversationListFilter,
    ConversationsApi,
    CustomIntegrationApiKeysApi,
    DevicesApi,
    ErrorResponse,
    Integration,
    IntegrationApiKey,
    IntegrationsApi,
    MessagePost,
    MessagesApi,
    Page,
    ParticipantJoinBody,
    ParticipantsApi,
    PassControlBody,
    SwitchboardActionsApi,
    SwitchboardIntegrationCreateBody,
    SwitchboardIntegrationsApi,
    SwitchboardsApi,
    UserCreateBody,
    UsersApi,
    UserUpdateBody,
    WebhookCreateBody,
    WebhooksApi,
)

ASKED: Final[Mapping[str, Any]] = json.load(sys.stdin)
IDS: Final[Mapping[str, str]] = ASKED["ids"]
APP: Final = "/v2/apps/{appId}"
INTEGRATION: Final = f"{APP}/integrations/{{integrationId}}"
CONVERSATION: Final = f"{APP}/conversations/{{conversationId}}"
SWITCHBOARD: Final = f"{APP}/switchboards/{{switchboardId}}"
USER: Final = f"{APP}/users/{{userIdOrExternalId}}"
NESTED: Final = {"deep": {"a": 1}}


Model = TypeVar("Model")


def of(model: Model | None) -> Model:
    """Return a model that the client made of a document; it may make none only of nothing."""
    assert model is not None
    return model


def with_secret(key_id: str, secret: str) -> ApiClient:
    return ApiClient(Configuration(host=ASKED["url"], username=key_id, password=secret))


def with_token(token: str) -> ApiClient:
    return ApiClient(Configuration(host=ASKED["url"], access_token=token))


def say(line: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


class Caller:
    """A credential's client, which says how each call ends."""

    def __init__(self, credential: Mapping[str, str]) -> None:
        self.name, self.app_id = credential["name"], credential["appId"]
        self.unknown_app_id = credential["unknownAppId"]
        token = credential["token"]
        self.client = (
            with_token(token) if token else with_secret(credential["keyId"], credential["secret"])
        )

    def attempt(self, call: str, do: Callable[[], Any]) -> dict[str, Any]:
        """Return what a call returns, or nothing if it raises."""
        said = {"credential": self.name, "call": call}
        try:
            returned = do()
        except ApiException as error:
            (first,) = of(of(ErrorResponse.from_json(str(error.body))).errors)
            raised = {"type": type(error).__name__, "status": error.status}
            say({**said, "raised": {**raised, "code": first.code, "title": first.title}})
            return {}
        answer: dict[str, Any] = returned.to_dict() if hasattr(returned, "to_dict") else returned
        say({**said, "answer": answer})
        return answer

    def manage(self) -> None:
        """Create, read, change and delete an app; where it cannot, try the credential's own."""
        apps = AppsApi(self.client)
        body = AppCreateBody(
            displayName="Bakery",
            settings=AppSettings(maskCreditCardNumbers=True),
            metadata={"team": "blue"},
        )
        created = self.attempt("POST /v2/apps", partial(apps.create_app, body))
        app_id = created["app"]["id"] if created else self.app_id
        self.attempt(f"GET {APP}", partial(apps.get_app, app_id))
        change = AppUpdateBody(displayName="Shop", metadata={"floor": 3})
        self.attempt(f"PATCH {APP}", partial(apps.update_app, app_id, change))
        self.attempt("GET /v2/apps", apps.list_apps)
        self.attempt(f"GET {APP} of another account", partial(apps.get_app, IDS["strangersAppId"]))
        self.manage_keys(app_id)
        self.manage_integration_keys(app_id)
        if created:
            self.use_keys(app_id)
            self.page_and_fail(apps)
        self.attempt(f"DELETE {APP}", partial(apps.delete_app, app_id))
        if created:
            self.attempt(f"GET {APP} after it is deleted", partial(apps.get_app, app_id))

    def manage_keys(self, app_id: str) -> None:
        keys, body = AppKeysApi(self.client), AppKeyCreateBody(displayName="First")
        created = self.attempt(f"POST {APP}/keys", partial(keys.create_app_key, app_id, body))
        key_id = created["key"]["id"] if created else IDS["unusedKeyId"]
        self.attempt(f"GET {APP}/keys", partial(keys.list_app_keys, app_id))
        self.attempt(f"GET {APP}/keys/{{keyId}}", partial(keys.get_app_key, app_id, key_id))
        self.attempt(f"DELETE {APP}/keys/{{keyId}}", partial(keys.delete_app_key, app_id, key_id))

    def manage_integration_keys(self, app_id: str) -> None:
        keys, parent = CustomIntegrationApiKeysApi(self.client), (app_id, IDS["integrationId"])
        path, body = f"{INTEGRATION}/keys", IntegrationApiKey(displayName="First")
        create = partial(keys.create_custom_integration_key, *parent, body)
        created = self.attempt(f"POST {path}", create)
        key_id = created["key"]["id"] if created else IDS["unusedKeyId"]
        self.attempt(f"GET {path}", partial(keys.list_custom_integration_keys, *parent))
        one = (*parent, key_id)
        self.attempt(f"GET {path}/{{keyId}}", partial(keys.get_custom_integration_key, *one))
        self.attempt(f"DELETE {path}/{{keyId}}", partial(keys.delete_custom_integration_key, *one))

    def use_keys(self, app_id: str) -> None:
        """Use a created key, use a deleted one, and create one too many."""
        keys, body = AppKeysApi(self.client), AppKeyCreateBody(displayName="Second")
        create = partial(keys.create_app_key, app_id, body)
        for call in ("with a created key", "with a deleted key"):
            created = of(create().key)
            key_id, secret = of(created.id), of(created.secret)
            if call == "with a deleted key":
                keys.delete_app_key(app_id, key_id)
            its_apps = AppsApi(with_secret(key_id, secret))
            self.attempt(f"GET {APP} {call}", partial(its_apps.get_app, app_id))
        eleventh = partial(keys.create_app_key, IDS["fullAppId"], body)
        self.attempt(f"POST {APP}/keys an eleventh time", eleventh)

    def page_and_fail(self, apps: AppsApi) -> None:
        page = self.attempt("GET /v2/apps with a page", partial(apps.list_apps, page=Page(size=1)))
        after = Page(after=page["meta"]["afterCursor"])
        self.attempt("GET /v2/apps after the page", partial(apps.list_apps, page=after))
        criteria = AppListFilter(serviceAccountId=IDS["serviceAccountId"])
        of_one = partial(apps.list_apps, filter=criteria)
        self.attempt("GET /v2/apps of a service account", of_one)
        body = AppCreateBody(displayName="Bakery", metadata=NESTED)
        self.attempt("POST /v2/apps with nested metadata", partial(apps.create_app, body))
        self.attempt(f"GET {APP} that does not exist", partial(apps.get_app, self.unknown_app_id))

    def read_and_write(self) -> None:
        """Call what is not managed: of each resource one read and one write."""
        client, app, one, user = self.client, self.app_id, IDS["downstreamId"], IDS["userId"]
        own = IDS["integrationId"]
        author = {"type": "user", "userId": user}
        message = {"author": author, "content": {"type": "text", "text": "Hello"}}
        link = {
            "matchCriteria": {
                "type": "twilio",
                "integrationId": one,
                "phoneNumber": "+15145555555",
            },
            "confirmation": {"type": "immediate"},
            "target": {"conversationId": one},
        }
        personal = {"type": "personal", "participants": [{"userId": user}]}
        android = {"type": "android", "senderId": "1", "serverKey": "k"}
        webhook = WebhookCreateBody(target="https://a.example", triggers=["conversation:read"])
        routed = SwitchboardIntegrationCreateBody(name="bot", integrationId=one)
        users, clients = UsersApi(client), ClientsApi(client)
        conversations, participants = ConversationsApi(client), ParticipantsApi(client)
        messages, activities = MessagesApi(client), ActivitiesApi(client)
        integrations, webhooks = IntegrationsApi(client), WebhooksApi(client)
        switchboards, members = SwitchboardsApi(client), SwitchboardIntegrationsApi(client)
        attachments, actions = AttachmentsApi(client), SwitchboardActionsApi(client)
        calls: Mapping[str, Callable[[], Any]] = {
            f"GET {USER}": partial(users.get_user, app, user),
            f"GET {USER} of another user": partial(users.get_user, app, IDS["otherUserId"]),
            f"PATCH {USER}": partial(users.update_user, app, user, UserUpdateBody()),
            f"POST {APP}/users": partial(users.create_user, app, UserCreateBody(externalId=user)),
            f"POST {APP}/users/{{zendeskId}}/sync": partial(users.sync_user, app, user),
            f"GET {USER}/clients": partial(clients.list_clients, app, user),
            f"POST {USER}/clients": partial(
                clients.create_client, app, user, of(ClientCreate.from_dict(link))
            ),
            f"GET {USER}/devices": partial(DevicesApi(client).list_devices, app, user),
            f"GET {APP}/conversations": partial(
                conversations.list_conversations, app, ConversationListFilter(userId=user)
            ),
            f"POST {APP}/conversations": partial(
                conversations.create_conversation,
                app,
                of(ConversationCreateBody.from_dict(personal)),
            ),
            f"GET {CONVERSATION}/participants": partial(participants.list_participants, app, one),
            f"POST {CONVERSATION}/join": partial(
                participants.join_conversation, app, one, ParticipantJoinBody(userId=user)
            ),
            f"GET {CONVERSATION}/messages": partial(messages.list_messages, app, one),
            f"POST {CONVERSATION}/messages": partial(
                messages.post_message, app, one, of(MessagePost.from_dict(message))
            ),
            f"POST {CONVERSATION}/activity": partial(
                activities.post_activity,
                app,
                one,
                of(ActivityPost.from_dict({"type": "conversation:read", "author": author})),
            ),
            f"POST {CONVERSATION}/passControl": partial(
                actions.pass_control, app, one, PassControlBody(switchboardIntegration="next")
            ),
            f"GET {APP}/integrations": partial(integrations.list_integrations, app),
            f"POST {APP}/integrations": partial(
                integrations.create_integration, app, of(Integration.from_dict(android))
            ),
            f"GET {INTEGRATION}/webhooks": partial(webhooks.list_webhooks, app, own),
            f"GET {INTEGRATION}/webhooks of another integration": partial(
                webhooks.list_webhooks, app, IDS["otherIntegrationId"]
            ),
            f"POST {INTEGRATION}/webhooks": partial(webhooks.create_webhook, app, own, webhook),
            f"GET {APP}/switchboards": partial(switchboards.list_switchboards, app),
            f"POST {APP}/switchboards": partial(switchboards.create_switchboard, app),
            f"GET {SWITCHBOARD}/switchboardIntegrations": partial(
                members.list_switchboard_integrations, app, one
            ),
            f"POST {SWITCHBOARD}/switchboardIntegrations": partial(
                members.create_switchboard_integration, app, one, routed
            ),
            f"POST {APP}/attachments": partial(
                attachments.upload_attachment, app, "public", ("a.txt", b"Hello")
            ),
            f"POST {APP}/attachments/remove": partial(
                attachments.delete_attachment,
                app,
                AttachmentDeleteBody(mediaUrl="https://media.example/a.png"),
            ),
        }
        for call, do in calls.items():
            self.attempt(call, do)


for each in ASKED["credentials"]:
    caller = Caller(each)
    caller.manage()
    caller.read_and_write()
