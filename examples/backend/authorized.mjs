// The same as authorized.py, for functions in JavaScript. Tests keep the two in step.

const SEGMENT = /^(?!\.$|\.\.)[A-Za-z0-9._~@+:-]+$/;
const MEMBERS = { account: [], app: ["appId"], appUser: ["appId", "userId"],
  integration: ["appId", "integrationId"] };
const BOUND = { userId: "appUser", integrationId: "integration" };
const OVERRIDES = ["x-http-method-override", "x-http-method", "x-method-override"];
const ACCOUNT = ["accountId", "accountExternalId"];
const NESTED = { appId: /^[0-9a-f]{24}$/, serviceAccountId: /^[0-9a-f]{16}$/ };

/** Answer 403, and do nothing else. */
export class NotAuthorized extends Error {}

/** Return the ids of the path and the context that fits them. Never normalize the path.
 * If the path names no app, `appId` is the app of the caller's key. */
export function authorized(event, ...paths) {
  const request = event.requestContext ?? {};
  const found = request.authorizer ?? {};
  const context = found.lambda ?? found; // An HTTP API puts it one level deeper.
  if (!Object.hasOwn(MEMBERS, context.scope)) throw new NotAuthorized();
  const needed = ["keyId", "accountId", ...MEMBERS[context.scope]];
  if (!needed.every((name) => context[name])) throw new NotAuthorized();
  if ("connectionId" in request) return { ...context };
  const sent = Object.keys({ ...event.headers, ...event.multiValueHeaders });
  if (sent.some((name) => OVERRIDES.includes(name.toLowerCase()))) throw new NotAuthorized();
  const segments = (event.rawPath || event.path || "").slice(1).split("/").map(decoded);
  const templates = paths.map((path) => path.slice(1).split("/"));
  const isId = (name) => name.startsWith("{");
  const template = templates.find((names) => names.length === segments.length
    && names.every((name, at) => isId(name) || name === segments[at]));
  if (!template || !segments.every((segment) => SEGMENT.test(segment))) throw new NotAuthorized();
  const ids = Object.fromEntries(template.map((name, at) => [name.slice(1, -1), segments[at]])
    .filter((_, at) => isId(template[at])));
  if (!Object.entries(ids).every((id) => isOwn(context, ids, ...id))) throw new NotAuthorized();
  const said = { ...ids, ...context };
  if (ids.userId && !said.appId && !said.appExternalId) throw new NotAuthorized(); // Unique only within an app.
  return said;
}

function isOwn(context, ids, name, id) {
  if (Object.hasOwn(BOUND, name)) return context.scope !== BOUND[name] || id === context[name];
  const isNested = Object.hasOwn(NESTED, name);
  if (isNested && context.scope === "account") {
    return id.startsWith(context.serviceAccountId || context.accountId) && NESTED[name].test(id);
  }
  if (name === "appExternalId" && context.scope === "account") {
    // Look the app up within the path's account.
    return !context.serviceAccountId && ACCOUNT.some((each) => Object.hasOwn(ids, each));
  }
  return ![...ACCOUNT, "appExternalId"].includes(name) && !isNested || id === context[name];
}

function decoded(part) {
  try { return decodeURIComponent(part); } catch { throw new NotAuthorized(); }
}
