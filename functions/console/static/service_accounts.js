// The account's service accounts: each has keys of its own, and reaches the apps that it created.

import { API_URL } from "./api.js";
import { breadcrumb, dangerZone, leave, nameForm } from "./apps.js";
import { ask, askToConfirm } from "./dialogs.js";
import { alertBox, button, copyable, element, emptyState, factList, field, heading, show, tell, untell } from "./dom.js";
import { ApiError, sentencesOf } from "./errors.js";
import { keysSection } from "./keys.js";
import { byText, list } from "./lists.js";
import { exactMoment, moment } from "./times.js";
import { tabs } from "./widgets.js";

const OF_ACCOUNTS = "You signed in with a service account key (svc_…), which cannot manage service "
  + "accounts. Sign in with an account key (act_…).";
const LIMITED = "The key that you signed in with is limited to permissions that do not include service "
  + "accounts. Sign in with a key that has full access.";
const NOT_SERVED = "This API does not serve the routes of service accounts. Apps and API keys work without "
  + "them. To use service accounts, ask the operator of this API to add `v1.1-short` to the stack's parameter "
  + "`AccessMapRoutes`.";
const PURPOSE = "A service account creates and manages apps of its own, and reaches no other app of your account. "
  + "Create one for each partner or tool.";

/** Show the list of service accounts. */
export function showServiceAccounts(api) {
  if (!api.isUserAccount) {
    show("Service accounts", heading("Service accounts"),
      element("div", { class: "note" }, element("p", {}, OF_ACCOUNTS)));
    return;
  }
  const newest = (one, other) => other.createdAt.localeCompare(one.createdAt);
  show("Service accounts",
    element("div", { class: "title-row" }, heading("Service accounts"),
      button("Create service account", create, { class: "primary", "data-create": true, "aria-keyshortcuts": "n", title: "Shortcut: n" })),
    element("p", { class: "lead" }, PURPOSE),
    list({
      pages: () => pagesOf(api),
      words: ["service account", "service accounts"],
      columns: [
        { label: "Name", cell: (one) => element("a", { href: `#/service-accounts/${one.id}`, class: "strong" }, one.displayName) },
        { label: "ID", cell: (one) => copyable(one.id, `the ID of ${one.displayName}`), look: "id" },
        { label: "Keys", cell: ({ keyCount }) => String(keyCount), look: "number" },
        { label: "Created", cell: (one) => moment(one.createdAt), look: "quiet" },
      ],
      sorts: [
        ["Newest", newest],
        ["Oldest", (one, other) => -newest(one, other)],
        ["Name", byText(({ displayName }) => displayName)],
      ],
      texts: ({ displayName, id }) => [displayName, id],
      empty: () => emptyState("No service accounts yet", PURPOSE,
        button("Create service account", create, { class: "primary" })),
    }));

  async function create() {
    const made = await ask({
      title: "Create service account",
      label: "Create",
      check: (data) => (data.get("name").trim() ? {} : { name: "Enter a name." }),
      act: (data) => api.createServiceAccount(data.get("name").trim()),
      body: field("Name", "name", { maxlength: "100", placeholder: "Franchise portal" },
        { hint: "Each service account needs a name of its own." }),
    });
    if (made) location.hash = `#/service-accounts/${made.id}`;
  }
}

async function* pagesOf(api) {
  let offset = 0;
  let more;
  do {
    const { serviceAccounts, hasMore } = await served(api, api.serviceAccounts(offset));
    yield serviceAccounts;
    offset += serviceAccounts.length;
    more = hasMore;
  } while (more);
}

/** Return an answer about service accounts, or why the API does not give one. */
async function served(api, asked) {
  try {
    return await asked;
  } catch (error) {
    if (error.status !== 403) throw error;
    const { permissions } = await api.ownKey();
    throw new ApiError(403, [permissions ? LIMITED : NOT_SERVED]);
  }
}

/** Show one service account, with its keys or its settings. */
export async function showServiceAccount(api, id, part) {
  const title = heading("Service account");
  const body = element("div", {});
  show("Service account", breadcrumb("Service accounts", "#/service-accounts", id), title,
    element("p", { class: "under-title" }, copyable(id, "the service account ID")), body);
  try {
    const found = await served(api, api.serviceAccount(id));
    document.title = `${found.displayName} · Keyscope console`;
    title.textContent = found.displayName;
    document.querySelector(".breadcrumb [aria-current]").textContent = found.displayName;
    body.replaceChildren(...tabs("Parts of the service account", [
      ["API keys", () => keysSection(api.keysOfServiceAccount(id), {
        title: "API keys", lens: (key) => `#/lens//${key.id}`, urlOf: () => `${API_URL}/v2/apps`,
        text: "These keys create and manage the apps of this service account.",
        purpose: "Create a key, then give its secret to the partner or tool that this service account is for.",
      })],
      ["Settings", () => settings(api, found)],
    ], {
      selected: part === "settings" ? 1 : 0,
      whenSelected: (index) => {
        untell();
        history.replaceState(null, "", `#/service-accounts/${id}${index ? "/settings" : ""}`);
      },
    }));
  } catch (error) {
    body.replaceChildren(alertBox(sentencesOf(error), error.status === 404 ? null : () => showServiceAccount(api, id, part)));
  }
}

function settings(api, found) {
  const { id, displayName } = found;
  return [
    nameForm(displayName, "name", async (name) => {
      await api.renameServiceAccount(id, name);
      await showServiceAccount(api, id, "settings");
      tell("Name saved.");
    }),
    element("section", { class: "panel" }, element("h2", {}, "Details"), factList([
      { name: "Service account ID", value: copyable(id, "the service account ID") },
      { name: "Created", value: exactMoment(found.createdAt) },
    ])),
    dangerZone("Delete this service account", "All of its API keys stop working. Delete its apps first.",
      "Delete service account", async () => {
        const removed = await askToConfirm({
          title: `Delete ${displayName}`,
          consequences: "The service account and all of its API keys are deleted. You cannot undo this.",
          text: displayName,
          label: "Delete service account",
          act: () => api.deleteServiceAccount(id),
        });
        if (removed) leave("#/service-accounts", `Service account “${displayName}” deleted.`);
      }),
  ];
}
