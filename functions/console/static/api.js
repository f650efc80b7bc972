// The management API of the stage that serves the console.

import { ApiError, errorOf } from "./errors.js";
import { makeSigner } from "./signing.js";

const BASE = new URL("..", document.baseURI);
const REFUSED = "The API does not accept this key. Check the key ID and the secret. The key may also have been "
  + "rotated, disabled or deleted, have expired, or not be allowed from your IP address.";
const LIMITED = "This key is limited to permissions that do not include the list of apps. Sign in with a key "
  + "that has full access.";
const UNMANAGED = "This API does not serve Keyscope's management routes, so the console cannot manage apps and "
  + "keys. Ask the operator of this API to add `management` to the stack's parameter `AccessMapRoutes`.";
const AT_ONCE = 100;
const SCOPES_OF = {
  app: ["app", "appUser", "integration"], integration: ["integration"], account: ["account"],
};

/** The base address of the API, without a slash at its end. */
export const API_URL = BASE.href.replace(/\/$/, "");

/** Return the API for the holder of this key, once the API has accepted the key. */
export async function signIn(keyId, secret) {
  let offset = await clockOffset();
  const signer = await makeSigner(keyId, secret, () => Math.floor(Date.now() / 1000) + offset);

  const within = (view, session) => {
    const waiting = (signal) => (...request) => answered(signal, ask(view, ...request));
    return {
      // The only copy of a new secret is in its answer, so that is awaited beyond the view.
      ...operations(waiting(view), waiting(session), permissions),
      keyId,
      isUserAccount: signer.isUserAccount,
      isLeft: () => Boolean(view?.aborted),
      within,
    };
  };

  async function ask(view, method, path, body) {
    const response = await send(signer, view, method, path, body);
    if (response.status !== 401) return read(method, response);
    // The computer's clock may have been set since: a token of the right time is tried once.
    offset = await clockOffset();
    signer.renew();
    return read(method, await send(signer, view, method, path, body));
  }

  let known = null;
  /** The permissions of the access map, which no change of the account changes. */
  async function permissions(asked) {
    known ??= (await asked("GET", "v2/permissions")).permissions;
    return known;
  }

  const api = within(null, null);
  try {
    await api.apps({ size: 1 });
  } catch (error) {
    throw error.status === 403 ? await whyForbidden(error, ask(null, "GET", "v2/keys/self")) : error;
  }
  return api;
}

/** Return why a good key does not reach the apps. Every access map lets a key see itself. */
async function whyForbidden(forbidden, asked) {
  try {
    const { key } = await asked;
    return new ApiError(403, [key.permissions ? LIMITED : UNMANAGED]);
  } catch {
    return forbidden;
  }
}

/** Return an answer, or never: nothing waits for it once the signal was aborted. */
async function answered(signal, asked) {
  try {
    const answer = await asked;
    return signal?.aborted ? never() : answer;
  } catch (error) {
    if (signal?.aborted) return never();
    throw error;
  }
}

function never() {
  return new Promise(() => {});
}

/** The API's operations. `askForSecret` asks for what makes a new secret, `ask` for all else. */
function operations(ask, askForSecret, permissions) {
  const keysOf = (path, nameMember, scope) =>
    keys(ask, askForSecret, path, nameMember, async () => reachedBy(scope, await permissions(ask)));
  return {
    apps: async ({ size = AT_ONCE, after } = {}) => {
      const query = new URLSearchParams({ "page[size]": size });
      if (after) query.set("page[after]", after);
      return ask("GET", `v2/apps?${query}`);
    },
    app: async (id) => (await ask("GET", `v2/apps/${id}`)).app,
    createApp: async (displayName) => (await ask("POST", "v2/apps", { displayName })).app,
    renameApp: async (id, displayName) => (await ask("PATCH", `v2/apps/${id}`, { displayName })).app,
    deleteApp: (id) => ask("DELETE", `v2/apps/${id}`),
    serviceAccounts: async (offset = 0) => {
      const answer = await ask("GET", `v1.1/serviceaccounts?limit=${AT_ONCE}&offset=${offset}`);
      return { ...answer, serviceAccounts: answer.serviceAccounts.map(named) };
    },
    serviceAccount: async (id) => named((await ask("GET", `v1.1/serviceaccounts/${id}`)).serviceAccount),
    createServiceAccount: async (name) =>
      named((await ask("POST", "v1.1/serviceaccounts", { name })).serviceAccount),
    renameServiceAccount: async (id, name) =>
      named((await ask("PUT", `v1.1/serviceaccounts/${id}`, { name })).serviceAccount),
    deleteServiceAccount: (id) => ask("DELETE", `v1.1/serviceaccounts/${id}`),
    ownKey: async () => (await ask("GET", "v2/keys/self")).key,
    keysOfApp: (id) => keysOf(`v2/apps/${id}/keys`, "displayName", "app"),
    integrationKeysOfApp: (id) => keysOf(`v2/apps/${id}/keys`, "displayName", "integration"),
    keysOfServiceAccount: (id) => keysOf(`v1.1/serviceaccounts/${id}/keys`, "name", "account"),
    explain: (question) => ask("POST", "v2/explain", question),
  };
}

/** Return the permissions that mean something to a scope, each with the routes that it reaches. */
function reachedBy(scope, permissions) {
  const scopes = SCOPES_OF[scope];
  return permissions.map(({ name, description, reach, websocketScopes }) => {
    const [first, ...others] = scopes.map((each) => reach.filter((reached) => reached.scope === each));
    const shown = first.length ? first : others.flat();
    const routes = new Set(shown.map(({ methods, path }) => `${methods.join(", ")} ${path}`));
    if (websocketScopes.some((each) => scopes.includes(each))) routes.add("WebSocket connections");
    return { name, description, routes: [...routes] };
  }).filter(({ routes }) => routes.length);
}

/** The keys of one owner. v1.1 calls a key's name `name`, v2 `displayName`. */
function keys(ask, askForSecret, path, nameMember, permissions) {
  const renamed = ({ displayName, ...members }) =>
    displayName === undefined ? members : { ...members, [nameMember]: displayName };
  const keyOf = async (asked) => named((await asked).key);
  return {
    permissions,
    list: async () => (await ask("GET", path)).keys.map(named),
    create: (members) => keyOf(askForSecret("POST", path, renamed(members))),
    change: (id, members) => keyOf(ask("PATCH", `${path}/${id}`, renamed(members))),
    rotate: (id, overlapSeconds) =>
      keyOf(askForSecret("POST", `${path}/${id}/rotate`, { overlapSeconds })),
    endOverlap: (id) => ask("DELETE", `${path}/${id}/overlap`),
    remove: (id) => ask("DELETE", `${path}/${id}`),
  };
}

/** Return what has an id and a name in the words of v2. */
function named({ _id, name, ...members }) {
  return _id === undefined ? members : { id: _id, displayName: name, ...members };
}

async function send(signer, view, method, path, body) {
  const headers = { Authorization: await signer.authorization() };
  // Nothing happens on behalf of a view that the reader left.
  if (view?.aborted) return never();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(new URL(path, BASE), {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
  });
}

async function read(method, response) {
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  if (response.status === 401) throw new ApiError(401, [REFUSED]);
  throw errorOf(method, response.status, body);
}

/** Return by how many seconds the API's clock is ahead of the computer's. */
async function clockOffset() {
  const response = await fetch("key.svg", { cache: "no-store", credentials: "omit" });
  const told = Date.parse(response.headers.get("Date") ?? "");
  return Number.isNaN(told) ? 0 : Math.round((told - Date.now()) / 1000);
}
