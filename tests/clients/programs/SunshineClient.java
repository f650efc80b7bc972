import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.zendesk.sunshine_conversations_client.ApiClient;
import com.zendesk.sunshine_conversations_client.ApiException;
import com.zendesk.sunshine_conversations_client.api.*;
import com.zendesk.sunshine_conversations_client.auth.HttpBearerAuth;
import com.zendesk.sunshine_conversations_client.model.*;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Calls the Sunshine Conversations API with the client from Maven Central, as each credential.
 *
 * <p>Reads the URL, the ids and the credentials from standard input and writes a line for each call:
 * what the client returned, or what its exception says.
 */
public final class SunshineClient {
  private static final String APP = "/v2/apps/{appId}";
  private static final String INTEGRATION = APP + "/integrations/{integrationId}";
  private static final String CONVERSATION = APP + "/conversations/{conversationId}";
  private static final String SWITCHBOARD = APP + "/switchboards/{switchboardId}";
  private static final String USER = APP + "/users/{userIdOrExternalId}";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

  /** A call of the client. */
  private interface Returning<T> {
    T call() throws ApiException;
  }

  private final String url;
  private final JsonNode ids;
  private final String name;
  private final String appId;
  private final String unknownAppId;
  private final ApiClient client;

  private SunshineClient(JsonNode asked, JsonNode credential) {
    url = asked.get("url").textValue();
    ids = asked.get("ids");
    name = credential.get("name").textValue();
    appId = credential.get("appId").textValue();
    unknownAppId = credential.get("unknownAppId").textValue();
    String token = credential.get("token").textValue();
    client =
        token == null
            ? withSecret(credential.get("keyId").textValue(), credential.get("secret").textValue())
            : withToken(token);
  }

  public static void main(String[] arguments) throws Exception {
    JsonNode asked = JSON.readTree(System.in);
    Path upload = Files.writeString(Files.createTempFile("hello", ".txt"), "Hello");
    upload.toFile().deleteOnExit();
    for (JsonNode credential : asked.get("credentials")) {
      SunshineClient caller = new SunshineClient(asked, credential);
      caller.manage();
      caller.readAndWrite(upload.toFile());
    }
    OUT.flush();
  }

  private ApiClient withSecret(String keyId, String secret) {
    ApiClient made = new ApiClient().setBasePath(url);
    made.setUsername(keyId);
    made.setPassword(secret);
    return made;
  }

  private ApiClient withToken(String token) {
    ApiClient made = new ApiClient().setBasePath(url);
    ((HttpBearerAuth) made.getAuthentication("bearerAuth")).setBearerToken(token);
    return made;
  }

  private String id(String of) {
    return ids.get(of).textValue();
  }

  /** Write how a call ends, and return what it returns, or null if it throws. */
  private <T> T attempt(String call, Returning<T> doing) throws Exception {
    ObjectNode said = JSON.createObjectNode().put("credential", name).put("call", call);
    T returned = null;
    try {
      returned = doing.call();
      said.set("answer", client.getJSON().getContext(Object.class).valueToTree(returned));
    } catch (ApiException error) {
      JsonNode first = JSON.readTree(error.getResponseBody()).get("errors").get(0);
      said.putObject("raised")
          .put("type", error.getClass().getSimpleName())
          .put("status", error.getCode())
          .put("code", first.get("code").textValue())
          .put("title", first.get("title").textValue());
    }
    OUT.println(said);
    return returned;
  }

  /** Create, read, change and delete an app; where it cannot, try the credential's own. */
  private void manage() throws Exception {
    AppsApi apps = new AppsApi(client);
    AppCreateBody body =
        new AppCreateBody()
            .displayName("Bakery")
            .settings(new AppSettings().maskCreditCardNumbers(true))
            .metadata(Map.of("team", "blue"));
    AppResponse created = attempt("POST /v2/apps", () -> apps.createApp(body));
    String app = created == null ? appId : created.getApp().getId();
    attempt("GET " + APP, () -> apps.getApp(app));
    AppUpdateBody change = new AppUpdateBody().displayName("Shop").metadata(Map.of("floor", 3));
    attempt("PATCH " + APP, () -> apps.updateApp(change, app));
    attempt("GET /v2/apps", () -> apps.listApps(null, null));
    attempt("GET " + APP + " of another account", () -> apps.getApp(id("strangersAppId")));
    manageKeys(app);
    manageIntegrationKeys(app);
    if (created != null) {
      useKeys(app);
      pageAndFail(apps);
    }
    attempt("DELETE " + APP, () -> apps.deleteApp(app));
    if (created != null) {
      attempt("GET " + APP + " after it is deleted", () -> apps.getApp(app));
    }
  }

  private void manageKeys(String app) throws Exception {
    AppKeysApi keys = new AppKeysApi(client);
    AppKeyCreateBody body = new AppKeyCreateBody().displayName("First");
    AppKeyResponse created = attempt("POST " + APP + "/keys", () -> keys.createAppKey(body, app));
    String key = created == null ? id("unusedKeyId") : created.getKey().getId();
    attempt("GET " + APP + "/keys", () -> keys.listAppKeys(app));
    attempt("GET " + APP + "/keys/{keyId}", () -> keys.getAppKey(app, key));
    attempt("DELETE " + APP + "/keys/{keyId}", () -> keys.deleteAppKey(app, key));
  }

  private void manageIntegrationKeys(String app) throws Exception {
    CustomIntegrationApiKeysApi keys = new CustomIntegrationApiKeysApi(client);
    String path = INTEGRATION + "/keys";
    String one = id("integrationId");
    IntegrationApiKey body = new IntegrationApiKey().displayName("First");
    IntegrationApiKeyResponse created =
        attempt("POST " + path, () -> keys.createCustomIntegrationKey(body, app, one));
    String key = created == null ? id("unusedKeyId") : created.getKey().getId();
    attempt("GET " + path, () -> keys.listCustomIntegrationKeys(app, one));
    attempt("GET " + path + "/{keyId}", () -> keys.getCustomIntegrationKey(app, one, key));
    attempt("DELETE " + path + "/{keyId}", () -> keys.deleteCustomIntegrationKey(app, one, key));
  }

  /** Use a created key, use a deleted one, and create one too many. */
  private void useKeys(String app) throws Exception {
    AppKeysApi keys = new AppKeysApi(client);
    AppKeyCreateBody body = new AppKeyCreateBody().displayName("Second");
    for (String call : List.of("with a created key", "with a deleted key")) {
      AppKey created = keys.createAppKey(body, app).getKey();
      if (call.equals("with a deleted key")) {
        keys.deleteAppKey(app, created.getId());
      }
      AppsApi itsApps = new AppsApi(withSecret(created.getId(), created.getSecret()));
      attempt("GET " + APP + " " + call, () -> itsApps.getApp(app));
    }
    String full = id("fullAppId");
    attempt("POST " + APP + "/keys an eleventh time", () -> keys.createAppKey(body, full));
  }

  private void pageAndFail(AppsApi apps) throws Exception {
    Page size = new Page().size(1);
    AppListResponse page = attempt("GET /v2/apps with a page", () -> apps.listApps(size, null));
    Page after = new Page().after(page.getMeta().getAfterCursor());
    attempt("GET /v2/apps after the page", () -> apps.listApps(after, null));
    AppListFilter filter = new AppListFilter().serviceAccountId(id("serviceAccountId"));
    attempt("GET /v2/apps of a service account", () -> apps.listApps(null, filter));
    AppCreateBody nested =
        new AppCreateBody().displayName("Bakery").metadata(Map.of("deep", Map.of("a", 1)));
    attempt("POST /v2/apps with nested metadata", () -> apps.createApp(nested));
    attempt("GET " + APP + " that does not exist", () -> apps.getApp(unknownAppId));
  }

  /** Call what is not managed: of each resource one read and one write. */
  private void readAndWrite(File upload) throws Exception {
    String one = id("downstreamId");
    String own = id("integrationId");
    String other = id("otherIntegrationId");
    String user = id("userId");
    Author author = new Author().type(Author.TypeEnum.USER).userId(user);
    MessagePost message = new MessagePost().author(author).content(new TextMessage().text("Hello"));
    ActivityPost activity =
        new ActivityPost().type(ActivityPost.TypeEnum.CONVERSATION_READ).author(author);
    ClientCreate link =
        new ClientCreate()
            .matchCriteria(
                new MatchCriteriaTwilio().integrationId(one).phoneNumber("+15145555555"))
            .confirmation(new Confirmation().type(Confirmation.TypeEnum.IMMEDIATE))
            .target(new Target().conversationId(one));
    ConversationCreateBody personal =
        new ConversationCreateBody()
            .type(ConversationType.PERSONAL)
            .addParticipantsItem(new ParticipantSubSchema().userId(user));
    ParticipantJoinBody join = new ParticipantJoinBody();
    join.setUserId(user);
    Integration android = new Android().serverKey("k").senderId("1");
    WebhookCreateBody webhook = new WebhookCreateBody();
    webhook.target("https://a.example").addTriggersItem("conversation:read");
    SwitchboardIntegrationCreateBody routed =
        new SwitchboardIntegrationCreateBody().name("bot").integrationId(one);
    AttachmentDeleteBody removed = new AttachmentDeleteBody().mediaUrl("https://a.example/a.png");
    PassControlBody pass = new PassControlBody().switchboardIntegration("next");
    ConversationListFilter ofUser = new ConversationListFilter().userId(user);

    UsersApi users = new UsersApi(client);
    ClientsApi clients = new ClientsApi(client);
    ConversationsApi conversations = new ConversationsApi(client);
    ParticipantsApi participants = new ParticipantsApi(client);
    MessagesApi messages = new MessagesApi(client);
    ActivitiesApi activities = new ActivitiesApi(client);
    SwitchboardActionsApi actions = new SwitchboardActionsApi(client);
    IntegrationsApi integrations = new IntegrationsApi(client);
    WebhooksApi webhooks = new WebhooksApi(client);
    SwitchboardsApi switchboards = new SwitchboardsApi(client);
    SwitchboardIntegrationsApi members = new SwitchboardIntegrationsApi(client);
    AttachmentsApi attachments = new AttachmentsApi(client);

    attempt("GET " + USER, () -> users.getUser(appId, user));
    attempt("GET " + USER + " of another user", () -> users.getUser(appId, id("otherUserId")));
    attempt("PATCH " + USER, () -> users.updateUser(new UserUpdateBody(), appId, user));
    attempt("POST " + APP + "/users",
        () -> users.createUser(new UserCreateBody().externalId(user), appId));
    attempt("GET " + USER + "/clients", () -> clients.listClients(appId, user, null));
    attempt("POST " + USER + "/clients", () -> clients.createClient(link, appId, user));
    attempt("GET " + APP + "/conversations",
        () -> conversations.listConversations(appId, ofUser, null));
    attempt("POST " + APP + "/conversations",
        () -> conversations.createConversation(personal, appId));
    attempt("GET " + CONVERSATION + "/participants",
        () -> participants.listParticipants(appId, one, null));
    attempt("POST " + CONVERSATION + "/join",
        () -> participants.joinConversation(join, appId, one));
    attempt("GET " + CONVERSATION + "/messages", () -> messages.listMessages(appId, one, null));
    attempt("POST " + CONVERSATION + "/messages", () -> messages.postMessage(message, appId, one));
    attempt("POST " + CONVERSATION + "/activity",
        () -> activities.postActivity(activity, appId, one));
    attempt("POST " + CONVERSATION + "/passControl", () -> actions.passControl(pass, appId, one));
    attempt("GET " + APP + "/integrations", () -> integrations.listIntegrations(appId, null, null));
    attempt("POST " + APP + "/integrations", () -> integrations.createIntegration(android, appId));
    String hooks = INTEGRATION + "/webhooks";
    attempt("GET " + hooks, () -> webhooks.listWebhooks(appId, own));
    attempt("GET " + hooks + " of another integration", () -> webhooks.listWebhooks(appId, other));
    attempt("POST " + hooks, () -> webhooks.createWebhook(webhook, appId, own));
    attempt("GET " + APP + "/switchboards", () -> switchboards.listSwitchboards(appId));
    attempt("POST " + APP + "/switchboards", () -> switchboards.createSwitchboard(appId));
    attempt("GET " + SWITCHBOARD + "/switchboardIntegrations",
        () -> members.listSwitchboardIntegrations(appId, one));
    attempt("POST " + SWITCHBOARD + "/switchboardIntegrations",
        () -> members.createSwitchboardIntegration(routed, appId, one));
    attempt("POST " + APP + "/attachments",
        () -> attachments.uploadAttachment(upload, appId, "public", null, null));
    attempt("POST " + APP + "/attachments/remove",
        () -> attachments.deleteAttachment(removed, appId));
  }
}
