// The keys of an app or of a service account: state at a glance, and all that can be done to them.

import { ask, askToConfirm, showSecret } from "./dialogs.js";
import { alertBox, button, copyable, element, field, tell } from "./dom.js";
import { sentencesOf } from "./errors.js";
import { countdown, fromLocal, moment, toLocal } from "./times.js";

const OVERLAPS = [
  [86400, "1 day"], [3600, "1 hour"], [604800, "7 days"], [2592000, "30 days"],
  [0, "none: the old secret ends at once"],
];
const MAX_KEYS = 10;

/** Return a section with the keys of an owner. `example` makes a command that uses a new key. */
export function keysSection(keys, example) {
  const faults = element("div");
  const list = element("ul", { class: "cards", "aria-label": "API keys" });
  const create = button("Create key", () => createKey(), { class: "primary" });
  const section = element("section", { "aria-labelledby": "keys-title" },
    element("div", { class: "title-row" }, element("h2", { id: "keys-title" }, "API keys"), create),
    faults, list);

  async function load() {
    try {
      const found = await keys.list();
      list.replaceChildren(...(found.length ? found.map(card) : [
        element("li", { class: "empty" },
          "There is no key yet. Create one, and call the API with its id and secret."),
      ]));
      create.disabled = found.filter((key) => key.state !== "expired").length >= MAX_KEYS;
      create.title = create.disabled ? "There are ten live keys: delete one first" : "";
    } catch (error) {
      list.replaceChildren(element("li", {}, alertBox(sentencesOf(error))));
    }
  }

  /** Do something to a key, then look at all of them again. */
  async function change(done, told) {
    if (!(await done)) return;
    tell(told);
    await load();
  }

  async function createKey() {
    const key = await ask({
      title: "Create a key",
      label: "Create key",
      act: (values) => keys.create(present({ ...limitsOf(values), integrationId: values.integrationId?.trim() || null })),
      ready: (values) => values.displayName.trim() !== "",
      body: [limitFields({}), knownPermissions(keys), keys.haveIntegrations ? integrationField() : null],
    });
    if (!key) return;
    await showSecret(key, { title: "The key is made", example: example(key) });
    await change(true, "The key is made.");
  }

  async function rotate(key) {
    const rotated = await ask({
      title: `Rotate ${nameOf(key)}`,
      label: "Rotate",
      act: (values) => keys.rotate(key.id, Number(values.overlap)),
      body: [
        element("p", {}, "The key gets a new secret. The old one is accepted until the overlap ends, "
          + "so that your software can move over."),
        key.state === "disabled"
          ? element("p", {}, "The key stays disabled. Enable it before you use the new secret.") : "",
        element("div", { class: "field" },
          element("label", { for: "overlap" }, "Overlap"),
          element("select", { id: "overlap", name: "overlap" },
            OVERLAPS.map(([seconds, label]) => element("option", { value: seconds }, label)))),
      ],
    });
    if (!rotated) return;
    const shown = { ...key, ...rotated };
    await showSecret(shown, { title: "The key has a new secret", example: example(shown) });
    await change(true, "The key has a new secret.");
  }

  const edit = (key) => change(ask({
    title: `Change ${nameOf(key)}`,
    label: "Save",
    act: async (values) => (await keys.change(key.id, changed(key, limitsOf(values))), true),
    body: [limitFields(key), knownPermissions(keys)],
  }), "The key is changed.");

  const disable = (key) => change(ask({
    title: `Disable ${nameOf(key)}`,
    label: "Disable",
    act: async () => (await keys.change(key.id, { disabled: true }), true),
    body: element("p", {}, "Requests with this key are refused until you enable it again."),
  }), "The key is disabled. It may work for some seconds more.");

  const enable = (key) =>
    change(attempt(() => keys.change(key.id, { disabled: false })), "The key is enabled.");

  const endOverlap = (key) => change(ask({
    title: `End the overlap of ${nameOf(key)}`,
    label: "End it now",
    act: async () => (await keys.endOverlap(key.id), true),
    body: element("p", {}, "The secret from before the last rotation is refused from now on."),
  }), "The overlap is over.");

  const remove = (key) => change(askToConfirm({
    title: `Delete ${nameOf(key)}`,
    consequences: "Its secret is destroyed, and every token signed with it is refused. This cannot be "
      + "undone.",
    text: nameOf(key),
    label: "Delete key",
    act: () => keys.remove(key.id),
  }), "The key is deleted. It may work for some seconds more.");

  async function attempt(act) {
    faults.replaceChildren();
    try {
      await act();
      return true;
    } catch (error) {
      faults.replaceChildren(alertBox(sentencesOf(error)));
      return false;
    }
  }

  function card(key) {
    const label = (verb) => ({ "aria-label": `${verb} ${nameOf(key)}` });
    return element("li", { class: "card" },
      element("div", { class: "card-head" },
        element("h3", {}, key.displayName ?? "Unnamed key"),
        element("span", { class: `badge ${key.state}` }, key.state)),
      copyable(key.id, "the key id"),
      facts(key, load),
      element("div", { class: "actions" },
        key.state === "expired" ? null : button("Rotate", () => rotate(key), label("Rotate")),
        key.previousSecretEndsAt
          ? button("End overlap", () => endOverlap(key), label("End the overlap of")) : null,
        key.state === "disabled"
          ? button("Enable", () => enable(key), label("Enable"))
          : button("Disable", () => disable(key), label("Disable")),
        button("Change", () => edit(key), label("Change")),
        button("Delete", () => remove(key), { ...label("Delete"), class: "danger" })));
  }

  load();
  return section;
}

function facts(key, whenOver) {
  const rows = [
    ["Created", moment(key.createdAt)],
    // Null if the key was never used, absent if that is not known.
    key.lastUsedAt === undefined
      ? null : ["Last used", key.lastUsedAt ? moment(key.lastUsedAt) : "Never"],
    ["Expires", key.expiresAt ? moment(key.expiresAt) : "never"],
    ["Works from", key.allowedCidrs ? key.allowedCidrs.join(", ") : "anywhere"],
    key.integrationId ? ["Integration", key.integrationId] : null,
    ["Permissions", key.permissions ? key.permissions.join(", ") : "everything in its scope"],
    key.disabledAt ? ["Disabled", moment(key.disabledAt)] : null,
    key.suspendedAt ? ["Suspended by the operator", moment(key.suspendedAt)] : null,
    key.rotatedAt ? ["Rotated", moment(key.rotatedAt)] : null,
    key.previousSecretEndsAt
      ? ["Old secret ends in", countdown(key.previousSecretEndsAt, whenOver)] : null,
  ];
  return element("dl", { class: "facts" }, rows.filter(Boolean).map(([name, value]) =>
    [element("dt", {}, name), element("dd", {}, value)]));
}

function limitFields(key) {
  return [
    field("Name", "displayName", { value: key.displayName ?? "", maxlength: "100" },
      "What uses the key, as in “Shop server”."),
    field("Expires", "expiresAt", { type: "datetime-local", value: toLocal(key.expiresAt) },
      "By this computer's time zone. Empty: never."),
    element("div", { class: "field" },
      element("label", { for: "allowedCidrs" }, "Works from"),
      element("textarea", {
        id: "allowedCidrs", name: "allowedCidrs", rows: "3", spellcheck: "false",
        "aria-describedby": "cidrs-hint",
      }, (key.allowedCidrs ?? []).join("\n")),
      element("p", { id: "cidrs-hint", class: "hint" },
        "Up to eight networks such as 192.0.2.0/24, one a line. Empty: anywhere.")),
    field("Permissions", "permissions", { value: (key.permissions ?? []).join(" "), spellcheck: "false" },
      "Up to 16 names such as read or users:write, separated by spaces. Empty: everything in its scope."),
  ];
}

function integrationField() {
  return field("Integration", "integrationId", { pattern: "[0-9a-f]{24}", maxlength: "24", spellcheck: "false" },
    "An id of 24 hex characters limits the key to that integration of the app. Blank = the whole app.");
}

/** Return a list of the permissions that a key can be limited to, which appears once it is loaded. */
function knownPermissions(keys) {
  const list = element("ul", { class: "hint" });
  const known = element("details", { hidden: true }, element("summary", {}, "Available permissions"), list);
  keys.permissions().then((permissions) => {
    list.append(...permissions.map(({ name, description }) =>
      element("li", {}, element("code", {}, name), description ? ` ${description}` : "")));
    known.hidden = permissions.length === 0;
  }, () => known.remove()); // An access map can leave the route out, and names can be typed without it.
  return known;
}

function limitsOf(values) {
  const [cidrs, permissions] = [values.allowedCidrs, values.permissions]
    .map((text) => text.split(/[\s,]+/).filter(Boolean));
  return {
    displayName: values.displayName.trim() || null,
    expiresAt: fromLocal(values.expiresAt),
    allowedCidrs: cidrs.length ? cidrs : null,
    permissions: permissions.length ? permissions : null,
  };
}

function present(members) {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null));
}

/** Return the members that the reader changed; the field for times has no seconds. */
function changed(key, limits) {
  const before = {
    displayName: key.displayName ?? null,
    expiresAt: fromLocal(toLocal(key.expiresAt)),
    allowedCidrs: key.allowedCidrs ?? null,
    permissions: key.permissions ?? null,
  };
  // A limit that is emptied is taken away; a name is not.
  return Object.fromEntries(Object.entries(limits).filter(([name, value]) =>
    JSON.stringify(value) !== JSON.stringify(before[name]) && !(name === "displayName" && !value)));
}

function nameOf(key) {
  return key.displayName ?? key.id;
}
