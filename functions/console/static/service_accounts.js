// The account's service accounts: each has keys of its own, and reaches the apps that it created.

import { API_URL } from "./api.js";
import { ask, askToConfirm } from "./dialogs.js";
import { alertBox, button, copyable, element, field, heading, show, tell } from "./dom.js";
import { sentencesOf } from "./errors.js";
import { keysSection } from "./keys.js";

const OF_USER_ACCOUNTS = "A service account's key manages no service accounts. Sign in with a user "
  + "account's key (act_…).";

/** Show the list of service accounts. */
export async function showServiceAccounts(api) {
  if (!api.isUserAccount) {
    show("Service accounts", heading("Service accounts"), alertBox([OF_USER_ACCOUNTS]));
    return;
  }
  const results = element("div", { "aria-live": "polite" });
  show("Service accounts",
    element("div", { class: "title-row" }, heading("Service accounts"),
      button("Create service account", create, { class: "primary" })),
    element("p", {}, "A service account has keys of account scope that reach only the apps which it "
      + "created. Give one to each partner or tool that provisions apps."),
    results);
  await page(0);

  async function create() {
    const made = await ask({
      title: "Create a service account",
      label: "Create service account",
      act: (values) => api.createServiceAccount(values.name.trim()),
      ready: (values) => values.name.trim() !== "",
      body: field("Name", "name", { maxlength: "100", required: true },
        "No two service accounts share a name."),
    });
    if (made) location.hash = `#/service-accounts/${made.id}`;
  }

  async function page(offset) {
    try {
      const { serviceAccounts, hasMore } = await api.serviceAccounts(offset);
      results.replaceChildren(
        serviceAccounts.length ? table(serviceAccounts)
          : element("p", { class: "empty" }, "There is no service account yet."),
        element("div", { class: "actions" },
          offset ? button("Previous", () => page(Math.max(0, offset - 25)), { class: "quiet" }) : null,
          hasMore ? button("Next", () => page(offset + serviceAccounts.length), { class: "quiet" })
            : null));
    } catch (error) {
      const hint = error.status === 403
        ? ["Service accounts need the route set v1.1-short or v1.1 in the stack's parameter "
          + "AccessMapRoutes."] : [];
      results.replaceChildren(alertBox([...sentencesOf(error), ...hint]));
    }
  }
}

function table(serviceAccounts) {
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "List" }, element("table", {},
    element("thead", {}, element("tr", {},
      ["Name", "Service account id"].map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, serviceAccounts.map((one) => element("tr", {},
      element("th", { scope: "row" },
        element("a", { href: `#/service-accounts/${one.id}` }, one.displayName)),
      element("td", {}, copyable(one.id, `the id of ${one.displayName}`)))))));
}

/** Show one service account. */
export async function showServiceAccount(api, id) {
  const back = element("p", {}, element("a", { href: "#/service-accounts" }, "← All service accounts"));
  let found;
  try {
    found = await api.serviceAccount(id);
  } catch (error) {
    show("Service account", heading("Service account"), alertBox(sentencesOf(error)), back);
    return;
  }
  const example = (key) => `curl -u ${key.id}:${key.secret} ${API_URL}/v2/apps`;
  show(found.displayName, back, heading(found.displayName),
    element("p", {}, copyable(id, "the service account id"), " ",
      button("Rename", rename, { class: "quiet" })),
    keysSection(api.keysOfServiceAccount(id), example),
    element("section", { class: "end" }, element("h2", {}, "Delete the service account"),
      element("p", {}, "Its keys end with it. Its apps must be deleted first."),
      button("Delete service account", remove, { class: "danger" })));

  async function rename() {
    const renamed = await ask({
      title: "Rename the service account",
      label: "Rename",
      act: (values) => api.renameServiceAccount(id, values.name.trim()),
      ready: (values) => values.name.trim() !== "",
      body: field("Name", "name", { value: found.displayName, maxlength: "100" }),
    });
    if (renamed) await showServiceAccount(api, id);
  }

  async function remove() {
    const removed = await askToConfirm({
      title: `Delete ${found.displayName}`,
      consequences: "The service account and every key of it end together. This cannot be undone.",
      text: found.displayName,
      label: "Delete service account",
      act: () => api.deleteServiceAccount(id),
    });
    if (!removed) return;
    tell(`${found.displayName} is deleted.`);
    location.hash = "#/service-accounts";
  }
}
