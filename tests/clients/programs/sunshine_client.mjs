// Calls the Sunshine Conversations API with the client from npm, as each credential.
//
// Reads the URL, the ids and the credentials from standard input and writes a line for each call:
// what the client returned, or what its error says.

import { readFileSync } from "node:fs";
import SunshineConversationsClient from "sunshine-conversations-client";

const {
  ActivitiesApi, ApiClient, AppKeysApi, AppsApi, AttachmentsApi, ClientsApi, ConversationsApi,
  CustomIntegrationApiKeysApi, DevicesApi, IntegrationsApi, MessagesApi, ParticipantsApi,
  SwitchboardActionsApi, SwitchboardIntegrationsApi, SwitchboardsApi, UsersApi, WebhooksApi,
} = SunshineConversationsClient;

const { url, ids, credentials } = JSON.parse(readFileSync(0, "utf-8"));
const APP = "/v2/apps/{appId}";
const INTEGRATION = `${APP}/integrations/{integrationId}`;
const CONVERSATION = `${APP}/conversations/{conversationId}`;
const SWITCHBOARD = `${APP}/switchboards/{switchboardId}`;
const USER = `${APP}/users/{userIdOrExternalId}`;
const NESTED = { deep: { a: 1 } };

function connect({ keyId, secret, token }) {
  const client = new ApiClient();
  client.basePath = url;
  if (token) client.authentications.bearerAuth.accessToken = token;
  else Object.assign(client.authentications.basicAuth, { username: keyId, password: secret });
  return client;
}

// Returns a function that makes a call and says how it ends; it returns nothing for an error.
function attemptAs(name) {
  return async (call, makeCall) => {
    const said = { credential: name, call };
    try {
      const returned = await makeCall();
      // What has no model is returned as text.
      const answer = typeof returned === "string" ? JSON.parse(returned) : returned;
      console.log(JSON.stringify({ ...said, answer }));
      return answer;
    } catch (error) {
      // Anything else is a fault of this program.
      if (!error.body?.errors) throw error.error ?? error;
      const [{ code, title }] = error.body.errors;
      const type = error.error.constructor.name;
      console.log(JSON.stringify({ ...said, raised: { type, status: error.status, code, title } }));
      return undefined;
    }
  };
}

// Creates, reads, changes and deletes an app; where it cannot, tries the credential's own.
async function manage(credential) {
  const [client, attempt] = [connect(credential), attemptAs(credential.name)];
  const apps = new AppsApi(client);
  const body = {
    displayName: "Bakery",
    settings: { maskCreditCardNumbers: true },
    metadata: { team: "blue" },
  };
  const created = await attempt("POST /v2/apps", () => apps.createApp(body));
  const appId = created?.app.id ?? credential.appId;
  await attempt(`GET ${APP}`, () => apps.getApp(appId));
  const change = { displayName: "Shop", metadata: { floor: 3 } };
  await attempt(`PATCH ${APP}`, () => apps.updateApp(appId, change));
  await attempt("GET /v2/apps", () => apps.listApps());
  await attempt(`GET ${APP} of another account`, () => apps.getApp(ids.strangersAppId));
  await manageKeys(attempt, new AppKeysApi(client), appId);
  await manageIntegrationKeys(attempt, new CustomIntegrationApiKeysApi(client), appId);
  if (created) {
    await useKeys(attempt, new AppKeysApi(client), appId);
    await pageAndFail(attempt, apps, credential);
  }
  await attempt(`DELETE ${APP}`, () => apps.deleteApp(appId));
  if (created) await attempt(`GET ${APP} after it is deleted`, () => apps.getApp(appId));
}

async function manageKeys(attempt, keys, appId) {
  const body = { displayName: "First" };
  const created = await attempt(`POST ${APP}/keys`, () => keys.createAppKey(appId, body));
  const keyId = created?.key.id ?? ids.unusedKeyId;
  await attempt(`GET ${APP}/keys`, () => keys.listAppKeys(appId));
  await attempt(`GET ${APP}/keys/{keyId}`, () => keys.getAppKey(appId, keyId));
  await attempt(`DELETE ${APP}/keys/{keyId}`, () => keys.deleteAppKey(appId, keyId));
}

async function manageIntegrationKeys(attempt, keys, appId) {
  const [path, of] = [`${INTEGRATION}/keys`, [appId, ids.integrationId]];
  const body = { displayName: "First" };
  const created = await attempt(`POST ${path}`, () =>
    keys.createCustomIntegrationKey(...of, body));
  const one = [...of, created?.key.id ?? ids.unusedKeyId];
  await attempt(`GET ${path}`, () => keys.listCustomIntegrationKeys(...of));
  await attempt(`GET ${path}/{keyId}`, () => keys.getCustomIntegrationKey(...one));
  await attempt(`DELETE ${path}/{keyId}`, () => keys.deleteCustomIntegrationKey(...one));
}

// Uses a created key, uses a deleted one, and creates one too many.
async function useKeys(attempt, keys, appId) {
  const body = { displayName: "Second" };
  for (const call of ["with a created key", "with a deleted key"]) {
    const { key } = await keys.createAppKey(appId, body);
    if (call === "with a deleted key") await keys.deleteAppKey(appId, key.id);
    const apps = new AppsApi(connect({ keyId: key.id, secret: key.secret }));
    await attempt(`GET ${APP} ${call}`, () => apps.getApp(appId));
  }
  const eleventh = () => keys.createAppKey(ids.fullAppId, body);
  await attempt(`POST ${APP}/keys an eleventh time`, eleventh);
}

// This version of the client sends only the first member of `page`.
async function pageAndFail(attempt, apps, { unknownAppId }) {
  const list = (options) => () => apps.listApps(options);
  const page = await attempt("GET /v2/apps with a page", list({ page: { size: 1 } }));
  const after = page.meta.afterCursor;
  await attempt("GET /v2/apps after the page", list({ page: { after } }));
  const filter = { serviceAccountId: ids.serviceAccountId };
  await attempt("GET /v2/apps of a service account", list({ filter }));
  await attempt("POST /v2/apps with nested metadata", () =>
    apps.createApp({ displayName: "Bakery", metadata: NESTED }));
  await attempt(`GET ${APP} that does not exist`, () => apps.getApp(unknownAppId));
}

// Calls what is not managed: of each resource one read and one write.
async function readAndWrite(credential) {
  const [client, attempt] = [connect(credential), attemptAs(credential.name)];
  const [app, one, user] = [credential.appId, ids.downstreamId, ids.userId];
  const author = { type: "user", userId: user };
  const message = { author, content: { type: "text", text: "Hello" } };
  const link = {
    matchCriteria: { type: "twilio", integrationId: one, phoneNumber: "+15145555555" },
    confirmation: { type: "immediate" },
    target: { conversationId: one },
  };
  const personal = { type: "personal", participants: [{ userId: user }] };
  const android = { type: "android", senderId: "1", serverKey: "k" };
  const webhook = { target: "https://a.example", triggers: ["conversation:read"] };
  const routed = { name: "bot", integrationId: one };
  const [users, clients] = [new UsersApi(client), new ClientsApi(client)];
  const [conversations, participants] = [new ConversationsApi(client), new ParticipantsApi(client)];
  const [messages, activities] = [new MessagesApi(client), new ActivitiesApi(client)];
  const [integrations, webhooks] = [new IntegrationsApi(client), new WebhooksApi(client)];
  const switchboards = new SwitchboardsApi(client);
  const members = new SwitchboardIntegrationsApi(client);
  const [attachments, actions] = [new AttachmentsApi(client), new SwitchboardActionsApi(client)];
  const calls = {
    [`GET ${USER}`]: () => users.getUser(app, user),
    [`GET ${USER} of another user`]: () => users.getUser(app, ids.otherUserId),
    [`PATCH ${USER}`]: () => users.updateUser(app, user, {}),
    [`POST ${APP}/users`]: () => users.createUser(app, { externalId: user }),
    [`GET ${USER}/clients`]: () => clients.listClients(app, user),
    [`POST ${USER}/clients`]: () => clients.createClient(app, user, link),
    [`GET ${USER}/devices`]: () => new DevicesApi(client).listDevices(app, user),
    [`GET ${APP}/conversations`]: () => conversations.listConversations(app, { userId: user }),
    [`POST ${APP}/conversations`]: () => conversations.createConversation(app, personal),
    [`GET ${CONVERSATION}/participants`]: () => participants.listParticipants(app, one),
    [`POST ${CONVERSATION}/join`]: () => participants.joinConversation(app, one, { userId: user }),
    [`GET ${CONVERSATION}/messages`]: () => messages.listMessages(app, one),
    [`POST ${CONVERSATION}/messages`]: () => messages.postMessage(app, one, message),
    [`POST ${CONVERSATION}/activity`]: () =>
      activities.postActivity(app, one, { type: "conversation:read", author }),
    [`POST ${CONVERSATION}/passControl`]: () =>
      actions.passControl(app, one, { switchboardIntegration: "next" }),
    [`GET ${APP}/integrations`]: () => integrations.listIntegrations(app),
    [`POST ${APP}/integrations`]: () => integrations.createIntegration(app, android),
    [`GET ${INTEGRATION}/webhooks`]: () => webhooks.listWebhooks(app, ids.integrationId),
    [`GET ${INTEGRATION}/webhooks of another integration`]: () =>
      webhooks.listWebhooks(app, ids.otherIntegrationId),
    [`POST ${INTEGRATION}/webhooks`]: () =>
      webhooks.createWebhook(app, ids.integrationId, webhook),
    [`GET ${APP}/switchboards`]: () => switchboards.listSwitchboards(app),
    [`POST ${APP}/switchboards`]: () => switchboards.createSwitchboard(app),
    [`GET ${SWITCHBOARD}/switchboardIntegrations`]: () =>
      members.listSwitchboardIntegrations(app, one),
    [`POST ${SWITCHBOARD}/switchboardIntegrations`]: () =>
      members.createSwitchboardIntegration(app, one, routed),
    [`POST ${APP}/attachments`]: () =>
      attachments.uploadAttachment(app, "public", Buffer.from("Hello")),
    [`POST ${APP}/attachments/remove`]: () =>
      attachments.deleteAttachment(app, { mediaUrl: "https://media.example/a.png" }),
  };
  for (const [call, makeCall] of Object.entries(calls)) await attempt(call, makeCall);
}

for (const credential of credentials) {
  await manage(credential);
  await readAndWrite(credential);
}
