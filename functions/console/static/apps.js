// The account's apps: the list, and one app with its keys and settings.

import { API_URL } from "./api.js";
import { ask, askToConfirm } from "./dialogs.js";
import { alertBox, button, copyable, element, emptyState, factList, field, heading, show, showFaults, spoken, tell, untell } from "./dom.js";
import { fieldsOf, sentencesOf } from "./errors.js";
import { keysSection } from "./keys.js";
import { byText, list } from "./lists.js";
import { exactMoment, moment } from "./times.js";
import { tabs } from "./widgets.js";

const APP_ID = /^[0-9a-f]{24}$/;
const NO_NAME = { displayName: "Enter a name." };
const PARTS = ["keys", "integrations", "settings"];

/** Show the list of apps. */
export function showApps(api) {
  const name = ({ displayName }) => displayName;
  const newest = (one, other) => other.createdAt.localeCompare(one.createdAt);
  show("Apps",
    element("div", { class: "title-row" }, heading("Apps"),
      button("Create app", create, { class: "primary", "data-create": true, "aria-keyshortcuts": "n", title: "Shortcut: n" })),
    list({
      pages: () => pagesOf(api),
      words: ["app", "apps"],
      columns: [
        { label: "Name", cell: (app) => element("a", { href: `#/apps/${app.id}`, class: "strong" }, app.displayName) },
        { label: "App ID", cell: (app) => [copyable(app.id, `the ID of ${app.displayName}`), externalOf(app)], look: "id" },
        { label: "Keys", cell: ({ keyCount }) => String(keyCount), look: "number" },
        { label: "Created by", cell: (app) => creatorOf(app.id), look: "quiet" },
        { label: "Created", cell: (app) => moment(app.createdAt), look: "quiet" },
      ],
      sorts: [
        ["Newest", newest],
        ["Oldest", (one, other) => -newest(one, other)],
        ["Name", byText(name)],
        ["Most keys", (one, other) => other.keyCount - one.keyCount],
      ],
      texts: (app) => [app.displayName, app.externalId, app.id],
      empty: () => emptyState("No apps yet",
        "API keys belong to an app, such as a shop or a website. Create an app, then create keys for it.",
        button("Create app", create, { class: "primary" })),
      find: async (text) => (APP_ID.test(text) ? byId(text) : null),
    }));

  async function create() {
    const app = await ask({
      title: "Create app",
      label: "Create app",
      check: (data) => (data.get("displayName").trim() ? {} : NO_NAME),
      act: (data) => api.createApp(data.get("displayName").trim()),
      body: field("Name", "displayName", { maxlength: "100", placeholder: "Shop" },
        { hint: "You can change the name later." }),
    });
    if (app) location.hash = `#/apps/${app.id}`;
  }

  async function byId(id) {
    try {
      return await api.app(id);
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }
}

async function* pagesOf(api) {
  let after;
  do {
    const { apps, meta } = await api.apps({ after });
    yield apps;
    after = meta.hasMore ? meta.afterCursor : null;
  } while (after);
}

function externalOf({ displayName, externalId }) {
  return externalId ? element("span", { class: "sub" }, "External ID ",
    copyable(externalId, `the external ID of ${displayName}`)) : "";
}

/** Return who created an app, which its id tells: an account's 12 characters, the creator's 4. */
function creatorOf(id) {
  return id.slice(12, 16) === "0000" ? "Account"
    : element("a", { href: `#/service-accounts/${id.slice(0, 16)}` }, "Service account");
}

/** Show one app, and one of its parts: its keys, its integrations or its settings. */
export async function showApp(api, id, part = PARTS[0]) {
  const title = heading("App");
  const facts = element("p", { class: "under-title" }, copyable(id, "the app ID"));
  const body = element("div", {});
  show("App", breadcrumb("Apps", "#/apps", id), title, facts, body);
  try {
    const app = await api.app(id);
    document.title = `${app.displayName} · Keyscope console`;
    title.textContent = app.displayName;
    document.querySelector(".breadcrumb [aria-current]").textContent = app.displayName;
    facts.append(app.externalId
      ? element("span", {}, "External ID ", copyable(app.externalId, "the external ID")) : "");
    body.replaceChildren(...tabs("Parts of the app", [
      ["API keys", () => keysSection(api.keysOfApp(id), {
        title: "API keys", lens: lensOf(id),
        urlOf: (key) => `${API_URL}/v2/apps/${id}${key.integrationId ? "/users" : ""}`,
        purpose: "An API key lets your software call the API for this app. Create one, then send its secret with each request.",
      })],
      ["Integrations", () => keysSection(api.integrationKeysOfApp(id), {
        title: "Integration keys", integrations: true, lens: lensOf(id),
        urlOf: () => `${API_URL}/v2/apps/${id}/users`,
        text: "An integration key reaches users, conversations and its integration's own webhooks, but not the app's configuration.",
        purpose: "Give each third-party integration of this app a key of its own. You need the integration's ID.",
      })],
      ["Settings", () => settings(api, app)],
    ], {
      selected: Math.max(0, PARTS.indexOf(part)),
      // The address names the tab, and going back leaves the app.
      whenSelected: (index) => {
        untell();
        history.replaceState(null, "", `#/apps/${id}${index ? `/${PARTS[index]}` : ""}`);
      },
    }));
  } catch (error) {
    body.replaceChildren(alertBox(sentencesOf(error), error.status === 404 ? null : () => showApp(api, id, part)));
  }
}

function lensOf(appId) {
  return (key) => `#/lens/${appId}/${key.id}`;
}

/** Return the way back to a list. */
export function breadcrumb(list, address, current) {
  return element("nav", { class: "breadcrumb", "aria-label": "Breadcrumb" },
    element("a", { href: address }, list), element("span", { "aria-hidden": "true" }, "/"),
    element("span", { "aria-current": "page" }, current));
}

function settings(api, app) {
  const { id } = app;
  return [
    nameForm(app.displayName, "displayName", async (name) => {
      await api.renameApp(id, name);
      await showApp(api, id, "settings");
      tell("Name saved.");
    }),
    element("section", { class: "panel" }, element("h2", {}, "Details"), factList([
      { name: "App ID", value: copyable(id, "the app ID") },
      app.externalId ? { name: "External ID", value: copyable(app.externalId, "the external ID") } : null,
      { name: "Created", value: exactMoment(app.createdAt) },
      { name: "Created by", value: creatorOf(id) },
      { name: "Metadata", value: json(app.metadata) },
      { name: "App settings", value: json(app.settings) },
    ])),
    dangerZone("Delete this app", "All of its API keys stop working. You cannot undo this.", "Delete app", async () => {
      const removed = await askToConfirm({
        title: `Delete ${app.displayName}`,
        consequences: "The app and all of its API keys are deleted, and their requests fail. You cannot undo this.",
        text: app.displayName,
        label: "Delete app",
        act: () => api.deleteApp(id),
      });
      if (removed) leave("#/apps", `App “${app.displayName}” deleted.`);
    }),
  ];
}

/** Go to another view, and tell there what was done here. */
export function leave(address, text) {
  addEventListener("hashchange", () => tell(text), { once: true });
  location.hash = address;
}

/** Return a form that changes the name of what is shown. */
export function nameForm(name, member, save) {
  const faults = element("div");
  const submit = element("button", { type: "submit" }, "Save");
  const form = element("form", {
    class: "panel", novalidate: true,
    submit: async (event) => {
      event.preventDefault();
      const wanted = new FormData(form).get(member).trim();
      const wrong = wanted ? {} : { [member]: "Enter a name." };
      faults.replaceChildren();
      showFaults(form, wrong);
      if (!wanted) return;
      submit.disabled = true;
      try {
        await save(wanted);
      } catch (error) {
        const fields = fieldsOf(error);
        const elsewhere = Object.keys(fields).length ? showFaults(form, fields) : sentencesOf(error);
        if (elsewhere.length) faults.replaceChildren(alertBox(elsewhere));
      }
      submit.disabled = false;
    },
  }, element("h2", {}, "Name"),
  element("div", { class: "beside" }, field([spoken("Name")], member, { value: name, maxlength: "100" }), submit), faults);
  return form;
}

/** Return the part of the settings that destroys. */
export function dangerZone(title, consequences, label, act) {
  return element("section", { class: "panel danger-zone" },
    element("h2", {}, "Danger zone"),
    element("div", { class: "title-row" },
      element("div", {}, element("strong", {}, title), element("p", { class: "muted" }, consequences)),
      button(label, act, { class: "danger" })));
}

function json(value) {
  const text = JSON.stringify(value ?? {}, null, 2);
  return text === "{}" ? "None" : element("pre", { tabindex: "0" }, text);
}
