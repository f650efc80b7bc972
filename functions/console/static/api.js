// The management API of the stage that serves the console.

import { ApiError, errorOf } from "./errors.js";
import { makeSigner } from "./signing.js";

const BASE = new URL("..", document.baseURI);
const REFUSED = "The API does not accept this key. The id or the secret may be mistyped, or the key "
  + "was rotated, disabled or deleted, has expired, or may not be used from this address.";

const LIMITED = "This key is limited to permissions that do not include the list of apps. Sign in with "
  + "a key without that limit.";
const UNMANAGED = "This API's access map does not include Keyscope's own routes, so the console cannot "
  + "manage apps and keys. The operator of the API can add management to the stack's parameter "
  + "AccessMapRoutes.";

/** The base address of the API, without a slash at its end. */
export const API_URL = BASE.href.replace(/\/$/, "");

/** Return the API for whoever holds this key, once the API has accepted it. */
export async function signIn(keyId, secret) {
  let offset = await clockOffset();
  const signer = await makeSigner(keyId, secret, () => Math.floor(Date.now() / 1000) + offset);

  const within = (view, session) => {
    const waiting = (signal) => (...request) => answered(signal, ask(view, ...request));
    return {
      // The only copy of a new secret is in its answer, so that is awaited beyond the view.
      ...operations(waiting(view), waiting(session)),
      keyId,
      isUserAccount: signer.isUserAccount,
      within,
    };
  };

  async function ask(view, method, path, body) {
    const response = await send(signer, view, method, path, body);
    if (response.status !== 401) return read(response);
    // The computer's clock may have been set since: a token of the right time is tried once.
    offset = await clockOffset();
    signer.renew();
    return read(await send(signer, view, method, path, body));
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

/** Return an answer, or never: nobody waits for it once the signal was aborted. */
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
function operations(ask, askForSecret) {
  return {
    apps: async ({ size = 25, after, before } = {}) => {
      const query = new URLSearchParams({ "page[size]": size });
      if (after) query.set("page[after]", after);
      if (before) query.set("page[before]", before);
      return ask("GET", `v2/apps?${query}`);
    },
    app: async (id) => (await ask("GET", `v2/apps/${id}`)).app,
    createApp: async (displayName) => (await ask("POST", "v2/apps", { displayName })).app,
    renameApp: async (id, displayName) => (await ask("PATCH", `v2/apps/${id}`, { displayName })).app,
    deleteApp: (id) => ask("DELETE", `v2/apps/${id}`),
    serviceAccounts: async (offset = 0) => {
      const answer = await ask("GET", `v1.1/serviceaccounts?limit=25&offset=${offset}`);
      return { ...answer, serviceAccounts: answer.serviceAccounts.map(named) };
    },
    serviceAccount: async (id) => named((await ask("GET", `v1.1/serviceaccounts/${id}`)).serviceAccount),
    createServiceAccount: async (name) =>
      named((await ask("POST", "v1.1/serviceaccounts", { name })).serviceAccount),
    renameServiceAccount: async (id, name) =>
      named((await ask("PUT", `v1.1/serviceaccounts/${id}`, { name })).serviceAccount),
    deleteServiceAccount: (id) => ask("DELETE", `v1.1/serviceaccounts/${id}`),
    keysOfApp: (id) => ({
      ...keys(ask, askForSecret, `v2/apps/${id}/keys`, "displayName"), haveIntegrations: true,
    }),
    keysOfServiceAccount: (id) =>
      keys(ask, askForSecret, `v1.1/serviceaccounts/${id}/keys`, "name"),
    explain: (question) => ask("POST", "v2/explain", question),
  };
}

/** The keys of one owner. v1.1 calls a key's name `name`, v2 `displayName`. */
function keys(ask, askForSecret, path, nameMember) {
  const renamed = ({ displayName, ...members }) =>
    displayName === undefined ? members : { ...members, [nameMember]: displayName };
  const keyOf = async (asked) => named((await asked).key);
  return {
    permissions: async () => (await ask("GET", "v2/permissions")).permissions,
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
  // Nothing is done on behalf of a view that the reader left.
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

async function read(response) {
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  if (response.status === 401) throw new ApiError(401, [REFUSED]);
  throw errorOf(response.status, body);
}

/** Return by how many seconds the API's clock is ahead of the computer's. */
async function clockOffset() {
  const response = await fetch("key.svg", { cache: "no-store", credentials: "omit" });
  const told = Date.parse(response.headers.get("Date") ?? "");
  return Number.isNaN(told) ? 0 : Math.round((told - Date.now()) / 1000);
}
