// The account's apps: the list, with search and pages, and one app with its settings.

import { API_URL } from "./api.js";
import { ask, askToConfirm } from "./dialogs.js";
import { alertBox, button, copyable, element, field, heading, show, tell } from "./dom.js";
import { sentencesOf } from "./errors.js";
import { keysSection } from "./keys.js";
import { tabs } from "./tabs.js";

const APP_ID = /^[0-9a-f]{24}$/;
const SEARCHED_AT_ONCE = 100;
const MOST_FOUND = 50;

/** Show the list of apps. */
export async function showApps(api) {
  const results = element("div", { "aria-live": "polite" });
  const search = element("input", {
    type: "search", id: "search", autocomplete: "off", placeholder: "Name or id",
    input: () => {
      clearTimeout(search.timer);
      search.timer = setTimeout(() => find(search.value.trim()), 250);
    },
  });
  show("Apps",
    element("div", { class: "title-row" }, heading("Apps"),
      button("Create app", create, { class: "primary" })),
    element("div", { class: "field search" }, element("label", { for: "search" }, "Search"), search),
    results);
  await page({});

  async function create() {
    const app = await ask({
      title: "Create an app",
      label: "Create app",
      act: (values) => api.createApp(values.displayName.trim()),
      ready: (values) => values.displayName.trim() !== "",
      body: field("Name", "displayName", { maxlength: "100", required: true }),
    });
    if (app) location.hash = `#/apps/${app.id}`;
  }

  async function page(cursor) {
    await attempt(async () => {
      const { apps, meta, links } = await api.apps(cursor);
      if (search.value.trim()) return;
      const move = (label, cursorOfPage) =>
        button(label, () => page(cursorOfPage), { class: "quiet" });
      results.replaceChildren(
        apps.length ? table(apps) : element("p", { class: "empty" },
          "There is no app yet. Create one; then it gets its keys."),
        element("div", { class: "actions" },
          links.prev ? move("Previous", { before: meta.beforeCursor }) : null,
          links.next ? move("Next", { after: meta.afterCursor }) : null));
    });
  }

  async function find(text) {
    if (!text) return page({});
    const isWanted = () => search.value.trim() === text && results.isConnected;
    await attempt(async () => {
      const found = [];
      const lower = text.toLowerCase();
      if (APP_ID.test(lower)) {
        found.push(...(await byId(lower)));
      } else {
        let seen = 0;
        let cursor = { size: SEARCHED_AT_ONCE };
        while (cursor && found.length < MOST_FOUND && isWanted()) {
          const { apps, meta, links } = await api.apps(cursor);
          seen += apps.length;
          found.push(...apps.filter((app) =>
            [app.displayName, app.externalId ?? ""].some((text) => text.toLowerCase().includes(lower))
            || app.id.startsWith(lower)));
          cursor = links.next ? { size: SEARCHED_AT_ONCE, after: meta.afterCursor } : null;
          if (isWanted()) tell(`Searched ${seen} apps…`);
        }
      }
      if (!isWanted()) return;
      const shown = found.slice(0, MOST_FOUND);
      const told = found.length > shown.length ? `The first ${MOST_FOUND} apps found.`
        : `${shown.length} ${shown.length === 1 ? "app" : "apps"} found.`;
      results.replaceChildren(element("p", {}, told), shown.length ? table(shown) : "");
    });
  }

  async function byId(id) {
    try {
      return [await api.app(id)];
    } catch (error) {
      if (error.status === 404) return [];
      throw error;
    }
  }

  async function attempt(act) {
    try {
      await act();
    } catch (error) {
      results.replaceChildren(alertBox(sentencesOf(error)));
    }
  }
}

function table(apps) {
  const external = apps.some((app) => app.externalId);
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "List" }, element("table", {},
    element("thead", {}, element("tr", {},
      ["Name", "App id", ...(external ? ["External id"] : []), "Created by"].map((name) =>
        element("th", { scope: "col" }, name)))),
    element("tbody", {}, apps.map((app) => element("tr", {},
      element("th", { scope: "row" }, element("a", { href: `#/apps/${app.id}` }, app.displayName)),
      element("td", {}, copyable(app.id, `the id of ${app.displayName}`)),
      external ? element("td", {},
        app.externalId ? copyable(app.externalId, `the external id of ${app.displayName}`) : "") : null,
      element("td", {}, creatorOf(app.id)))))));
}

/** Return who created an app, which its id tells: an account's 12 characters, the creator's 4. */
function creatorOf(id) {
  return id.slice(12, 16) === "0000" ? "user account"
    : element("span", {}, "service account ", element("code", {}, id.slice(0, 16)));
}

/** Show one app. */
export async function showApp(api, id) {
  let app;
  try {
    app = await api.app(id);
  } catch (error) {
    show("App", heading("App"), alertBox(sentencesOf(error)), backLink());
    return;
  }
  // A key of an integration does not reach the app itself.
  const example = (key) =>
    `curl -u ${key.id}:${key.secret} ${API_URL}/v2/apps/${id}${key.integrationId ? "/users" : ""}`;
  show(app.displayName, backLink(), heading(app.displayName), tabs([
    ["Settings", () => [keysSection(api.keysOfApp(id), example), nameSection(), endSection()]],
    ["Details", () => [details()]],
  ]));

  function nameSection() {
    return element("section", {}, element("h2", {}, "Name"),
      element("p", {}, app.displayName, " ", button("Rename", rename, { class: "quiet" })));
  }

  async function rename() {
    const renamed = await ask({
      title: "Rename the app",
      label: "Rename",
      act: (values) => api.renameApp(id, values.displayName.trim()),
      ready: (values) => values.displayName.trim() !== "",
      body: field("Name", "displayName", { value: app.displayName, maxlength: "100" }),
    });
    if (renamed) await showApp(api, id);
  }

  function endSection() {
    return element("section", { class: "end" }, element("h2", {}, "Delete the app"),
      element("p", {}, "All of its keys end with it, at once and for good."),
      button("Delete app", remove, { class: "danger" }));
  }

  async function remove() {
    const removed = await askToConfirm({
      title: `Delete ${app.displayName}`,
      consequences: "The app and every key of it end together. This cannot be undone.",
      text: app.displayName,
      label: "Delete app",
      act: () => api.deleteApp(id),
    });
    if (!removed) return;
    tell(`${app.displayName} is deleted.`);
    location.hash = "#/apps";
  }

  function details() {
    return element("dl", { class: "facts" },
      element("dt", {}, "App id"), element("dd", {}, copyable(id, "the app id")),
      app.externalId
        ? [element("dt", {}, "External id"), element("dd", {}, copyable(app.externalId, "the external id"))]
        : [],
      element("dt", {}, "Created by"), element("dd", {}, creatorOf(id)),
      element("dt", {}, "Metadata"), element("dd", {}, json(app.metadata)),
      element("dt", {}, "Settings"), element("dd", {}, json(app.settings)));
  }
}

function json(value) {
  return element("pre", { tabindex: "0" }, JSON.stringify(value ?? {}, null, 2));
}

function backLink() {
  return element("p", {}, element("a", { href: "#/apps" }, "← All apps"));
}
