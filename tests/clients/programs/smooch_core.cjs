// Calls version 1.1 of the API with smooch-core from npm, as each credential.
//
// Reads the URL, the ids and the credentials from standard input and writes a line for each call:
// what the client returned, or what its error says. The client leaves the app out of most paths
// unless the scope is `account`; the calls are named by the long, published ones all the same.
"use strict";

const { readFileSync } = require("node:fs");
const { Readable } = require("node:stream");

const Smooch = require("smooch-core");

const { url, ids, credentials } = JSON.parse(readFileSync(0, "utf8"));
const APP = "/v1.1/apps/{appId}";
const USER = `${APP}/appusers/{userId}`;
const INTEGRATION = `${APP}/integrations/{integrationId}`;
const SERVICE_ACCOUNTS = "/v1.1/serviceaccounts";
const SERVICE_ACCOUNT = `${SERVICE_ACCOUNTS}/{serviceAccountId}`;
const NESTED = { deep: { a: 1 } };

function connected({ scope, keyId, secret, token }) {
  if (token) return new Smooch({ serviceUrl: url, jwt: token });
  const userId = scope === "appUser" ? ids.userId : undefined;
  return new Smooch({ serviceUrl: url, keyId, secret, scope, userId });
}

// What is uploaded is a stream of a file.
function file() {
  return Object.assign(Readable.from(["Hello"]), { path: "hello.txt" });
}

class Caller {
  constructor(credential) {
    this.name = credential.name;
    this.appId = credential.appId;
    this.unknownAppId = credential.unknownAppId;
    this.client = connected(credential);
  }

  // Returns what a call returns, or nothing if it fails.
  async attempt(call, promise) {
    const said = { credential: this.name, call };
    try {
      said.answer = (await promise) ?? {};
    } catch (error) {
      // Anything else than an answer of the API is a fault of this program.
      if (!error.response) throw error;
      const { code, description: title, response, constructor } = error;
      said.raised = { type: constructor.name, status: response.status, code, title };
    }
    console.log(JSON.stringify(said));
    return said.answer;
  }

  // Creates, reads, changes and deletes an app; where it cannot, tries the credential's own.
  async manage() {
    const { apps } = this.client;
    const settings = { maskCreditCardNumbers: true };
    const create = apps.create("Bakery", settings, { team: "blue" });
    const created = await this.attempt("POST /v1.1/apps", create);
    const appId = created?.app._id ?? this.appId;
    await this.attempt(`GET ${APP}`, apps.get(appId));
    const change = { name: "Shop", metadata: { floor: 3 } };
    await this.attempt(`PUT ${APP}`, apps.update(appId, change));
    await this.attempt("GET /v1.1/apps", apps.list());
    await this.attempt(`GET ${APP} of another account`, apps.get(ids.strangersAppId));
    await this.manageKeys(appId);
    if (created) {
      await this.useKeys(appId);
      await this.pageAndFail();
    }
    await this.attempt(`DELETE ${APP}`, apps.delete(appId));
    if (created) await this.attempt(`GET ${APP} after it is deleted`, apps.get(appId));
  }

  async manageKeys(appId) {
    const { keys } = this.client.apps;
    const path = `${APP}/keys`;
    const created = await this.attempt(`POST ${path}`, keys.create({ appId, name: "First" }));
    const one = { appId, keyId: created?.key._id ?? ids.unusedKeyId };
    await this.attempt(`GET ${path}`, keys.list({ appId }));
    await this.attempt(`GET ${path}/{keyId}`, keys.get(one));
    await this.attempt(`GET ${path}/{keyId}/jwt`, keys.getJwt(one));
    await this.attempt(`DELETE ${path}/{keyId}`, keys.delete(one));
  }

  // Uses a created key, uses a deleted one, and creates one too many.
  async useKeys(appId) {
    const { keys } = this.client.apps;
    for (const call of ["with a created key", "with a deleted key"]) {
      const { key } = await keys.create(appId, "Second");
      if (call === "with a deleted key") await keys.delete(appId, key._id);
      const holder = connected({ scope: "app", keyId: key._id, secret: key.secret });
      await this.attempt(`GET ${APP}/menu ${call}`, holder.menu.get());
    }
    const eleventh = keys.create(ids.fullAppId, "Second");
    await this.attempt(`POST ${APP}/keys an eleventh time`, eleventh);
  }

  async pageAndFail() {
    const { apps } = this.client;
    const of = { serviceAccountId: ids.serviceAccountId };
    await this.attempt("GET /v1.1/apps with a page", apps.list({ limit: 1 }));
    await this.attempt("GET /v1.1/apps after the page", apps.list({ limit: 100, offset: 1 }));
    await this.attempt("GET /v1.1/apps of a service account", apps.list(of));
    const nested = apps.create("Bakery", undefined, NESTED);
    await this.attempt("POST /v1.1/apps with nested metadata", nested);
    await this.attempt(`GET ${APP} that does not exist`, apps.get(this.unknownAppId));
  }

  async manageServiceAccounts() {
    const { serviceAccounts } = this.client;
    // Names are unique within the account.
    const create = serviceAccounts.create(`Deployer, ${this.name}`);
    const created = await this.attempt(`POST ${SERVICE_ACCOUNTS}`, create);
    const id = created?.serviceAccount._id ?? ids.serviceAccountId;
    await this.attempt(`GET ${SERVICE_ACCOUNTS}`, serviceAccounts.list());
    await this.attempt(`GET ${SERVICE_ACCOUNT}`, serviceAccounts.get(id));
    const change = { name: `Builder, ${this.name}` };
    await this.attempt(`PUT ${SERVICE_ACCOUNT}`, serviceAccounts.update(id, change));
    await this.manageServiceAccountKeys(id);
    await this.attempt(`DELETE ${SERVICE_ACCOUNT}`, serviceAccounts.delete(id));
  }

  async manageServiceAccountKeys(id) {
    const { keys } = this.client.serviceAccounts;
    const path = `${SERVICE_ACCOUNT}/keys`;
    const created = await this.attempt(`POST ${path}`, keys.create(id, "First"));
    const keyId = created?.key._id ?? ids.unusedKeyId;
    await this.attempt(`GET ${path}`, keys.list(id));
    await this.attempt(`GET ${path}/{keyId}`, keys.get(id, keyId));
    await this.attempt(`GET ${path}/{keyId}/jwt`, keys.getJwt(id, keyId));
    await this.attempt(`DELETE ${path}/{keyId}`, keys.delete(id, keyId));
  }

  // Calls what is not managed: of each resource at least one read and one write.
  async readAndWrite() {
    const { appUsers, attachments, conversations, deployments, integrations } = this.client;
    const { apps, menu, notifications, stripe, templates, webhooks } = this.client;
    const { menu: menus, profile: profiles } = integrations;
    // The client leaves the app out unless the scope is `account`.
    const app = { appId: this.appId };
    const user = { ...app, userId: ids.userId };
    const other = { ...app, userId: ids.otherUserId };
    const integration = { ...app, integrationId: ids.downstreamId };
    const webhook = { ...app, webhookId: ids.downstreamId };
    const template = { ...app, templateId: ids.downstreamId };
    const deployment = { deploymentId: ids.downstreamId };
    const text = { role: "appMaker", type: "text", text: "Hello" };
    const items = [{ type: "link", text: "Shop", uri: "https://a.example" }];
    const hook = { target: "https://a.example", triggers: ["message:appUser"] };
    const link = { type: "twilio", phoneNumber: "+15145555555" };
    const read = { role: "appUser", type: "conversation:read" };
    const bot = { type: "telegram", token: "t" };
    const destination = { integrationId: ids.downstreamId };
    const notification = { destination, author: { role: "appMaker" }, message: text };
    const mediaUrl = "https://media.example/a.png";
    const integrationIds = [ids.downstreamId];
    const merged = { surviving: { _id: "1" }, discarded: { _id: "2" } };
    const calls = {
      [`GET ${USER}`]: () => appUsers.get(user),
      [`GET ${USER} of another user`]: () => appUsers.get(other),
      [`PUT ${USER}`]: () => appUsers.update({ ...user, appUser: { givenName: "Ada" } }),
      [`DELETE ${USER}`]: () => appUsers.delete(user),
      [`POST ${APP}/appusers`]: () => appUsers.create({ ...app, appUser: { userId: "u" } }),
      [`POST ${APP}/appusers/merge`]: () => appUsers.mergeUsers({ ...app, props: merged }),
      [`POST ${USER}/images`]: () => appUsers.uploadImage({ ...user, source: file() }),
      [`DELETE ${USER}/profile`]: () => appUsers.deleteProfile(user),
      [`GET ${USER}/authcode`]: () => appUsers.getAuthCode(user),
      [`GET ${USER}/businesssystems`]: () => appUsers.getBusinessSystems(user),
      [`GET ${USER}/linkrequest`]: () => appUsers.getLinkRequests({ ...user, integrationIds }),
      [`GET ${USER}/channels`]: () => appUsers.getChannels(user),
      [`POST ${USER}/channels`]: () => appUsers.linkChannel({ ...user, data: link }),
      [`DELETE ${USER}/channels/{channel}`]: () =>
        appUsers.unlinkChannel({ ...user, channel: "twilio" }),
      [`GET ${USER}/messages`]: () => appUsers.getMessages(user),
      [`POST ${USER}/messages`]: () => appUsers.sendMessage({ ...user, message: text }),
      [`DELETE ${USER}/messages`]: () => appUsers.deleteMessages(user),
      [`DELETE ${USER}/messages/{messageId}`]: () =>
        appUsers.deleteMessage({ ...user, messageId: "1" }),
      [`POST ${USER}/conversation/read`]: () => conversations.resetUnreadCount(user),
      [`POST ${USER}/conversation/activity`]: () =>
        appUsers.conversationActivity({ ...user, activityProps: read }),
      // Published in v1; the client asks for it in v1.1.
      "POST /v1/apps/{appId}/notifications": () =>
        notifications.postNotification({ ...app, notification }),
      [`GET ${APP}/menu`]: () => menu.get(app),
      [`PUT ${APP}/menu`]: () => menu.configure({ ...app, props: { items } }),
      [`GET ${APP}/integrations`]: () => integrations.list(app),
      [`POST ${APP}/integrations`]: () => integrations.create({ ...app, props: bot }),
      [`GET ${INTEGRATION}`]: () => integrations.get(integration),
      [`DELETE ${INTEGRATION}`]: () => integrations.delete(integration),
      [`GET ${INTEGRATION}/menu`]: () => menus.get(integration),
      [`POST ${INTEGRATION}/menu`]: () => menus.create({ ...integration, props: { items } }),
      [`GET ${INTEGRATION}/profile`]: () => profiles.get(integration),
      [`PUT ${INTEGRATION}/profile`]: () =>
        profiles.update({ ...integration, profile: { about: { text: "We" } } }),
      [`GET ${INTEGRATION}/messageTemplates`]: () =>
        integrations.messageTemplates.list({ ...integration, query: {} }),
      [`GET ${APP}/webhooks`]: () => webhooks.list(app),
      [`POST ${APP}/webhooks`]: () => webhooks.create({ ...app, props: hook }),
      [`PUT ${APP}/webhooks/{webhookId}`]: () => webhooks.update({ ...webhook, props: hook }),
      [`POST ${APP}/attachments`]: () =>
        attachments.create({ ...app, props: { access: "public" }, source: file() }),
      [`POST ${APP}/attachments/remove`]: () => attachments.delete({ ...app, mediaUrl }),
      [`GET ${APP}/templates`]: () => templates.list({ ...app, props: {} }),
      [`POST ${APP}/templates`]: () =>
        templates.create({ ...app, props: { name: "hello", message: text } }),
      [`DELETE ${APP}/templates/{templateId}`]: () => templates.delete(template),
      [`GET ${APP}/sdks`]: () => apps.getSdkIds(app),
      // In no table.
      [`GET ${USER}/conversation`]: () => conversations.get(user),
      [`POST ${USER}/conversation/postback`]: () =>
        conversations.postPostback({ ...user, actionId: "1" }),
      [`GET ${APP}/stripe/account`]: () => stripe.getAccount(app),
      "GET /v1.1/whatsapp/deployments": () => deployments.list(),
      "POST /v1.1/whatsapp/deployments": () => deployments.create({ hosting: "smooch" }),
      "GET /v1.1/whatsapp/deployments/{deploymentId}": () => deployments.get(deployment),
    };
    for (const [call, start] of Object.entries(calls)) await this.attempt(call, start());
  }
}

async function main() {
  for (const credential of credentials) {
    const caller = new Caller(credential);
    await caller.manage();
    await caller.manageServiceAccounts();
    await caller.readAndWrite();
  }
}

main();
