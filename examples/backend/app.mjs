// The same function as app.py, for Node.js: set `Runtime: nodejs22.x` in the example's template.

import { authorized, NotAuthorized } from "./authorized.mjs";

/** The paths that this function serves; ids that callers may reach have Keyscope's names. */
const PATHS = [
  "/tenants/{accountId}/projects",
  "/tenants/{accountId}/projects/{appId}",
  "/tenants/{accountId}/projects/{appId}/members",
  "/tenants/{accountId}/projects/{appId}/members/{userId}",
];

/** Answer with the ids that the request is for, where yours would look them up. */
export async function handler(event) {
  try {
    const { scope, accountId, appId, userId } = authorized(event, ...PATHS);
    return answer(200, { scope, accountId, appId, userId });
  } catch (error) {
    if (!(error instanceof NotAuthorized)) throw error;
    return answer(403, { errors: [{ code: "forbidden", title: "Not authorized" }] });
  }
}

function answer(statusCode, body) {
  const headers = { "content-type": "application/json" };
  return { statusCode, headers, body: JSON.stringify(body) };
}
