// The keys of an app or of a service account: a table, and all that can be done to them.

import { ask, askToConfirm, inform } from "./dialogs.js";
import { alertBox, badge, button, copyable, element, emptyState, factList, labeled, shortened, copyButton, spoken, tell } from "./dom.js";
import { sentencesOf } from "./errors.js";
import { changesIn, faultsIn, keyFields, limitsIn } from "./key_form.js";
import { showSecret } from "./new_secret.js";
import { countdown, exactMoment, moment } from "./times.js";
import { menu, replaceRows, skeleton, table } from "./widgets.js";

const OVERLAPS = [
  [86400, "1 day"], [3600, "1 hour"], [604800, "7 days"], [2592000, "30 days"], [0, "None: end the old secret now"],
];
const MAX_KEYS = 10;
const SOON_MILLISECONDS = 14 * 86400000;
const SHOWN_PERMISSIONS = 2;
const LOOKS = { active: "good", disabled: "warn", suspended: "warn", expired: "bad", revoked: "bad" };
const TAKES_EFFECT = "API Gateway and the authorizer cache it for some seconds more.";

/**
 * Return the keys of an owner: `keys` are its operations, `urlOf` returns an address that a key
 * reaches, and `only` chooses some of its keys. `lens` is the address of the view that explains.
 */
export function keysSection(keys, { urlOf, lens, title, text, integrations = false, purpose }) {
  const results = element("div", { class: "keys" });
  const faults = element("div");
  const count = element("span", { class: "muted" });
  const create = button("Create key", createKey, { class: "primary", "data-create": true, "aria-keyshortcuts": "n", title: "Shortcut: n" });
  const columns = [
    { label: "Name", cell: nameCell },
    { label: "Key ID", cell: (key) => [shortened(key.id), copyButton(key.id, `the ID of ${nameOf(key)}`)], look: "id" },
    integrations ? { label: "Integration", cell: (key) => [shortened(key.integrationId), copyButton(key.integrationId, "the integration ID")], look: "id" } : null,
    { label: "State", cell: (key) => stateCell(key, load) },
    { label: "Access", cell: accessCell },
    integrations ? null : { label: "Created", cell: (key) => moment(key.createdAt), look: "quiet" },
    { label: "Last used", cell: lastUse, look: "quiet" },
    { label: "Expires", cell: expiry, look: "quiet" },
    { label: "Actions", cell: actions, look: "end", silent: true },
  ].filter(Boolean);
  let live = 0;

  async function load() {
    if (!results.firstChild) results.replaceChildren(skeleton(title, columns));
    try {
      const all = await keys.list();
      live = all.filter((key) => key.state !== "expired").length;
      count.textContent = ` ${live} of ${MAX_KEYS}`;
      const found = integrations ? all.filter((key) => key.integrationId) : all;
      replaceRows(results, found.length ? table(title, columns, found, (key) => key.id)
        : emptyState(integrations ? "No integration keys" : "No API keys", purpose,
          button("Create key", createKey, { class: "primary" })));
    } catch (error) {
      replaceRows(results, alertBox(sentencesOf(error), load));
    }
  }

  /** Do something to a key, then look at all of them again. */
  async function change(done, told) {
    // The view may be gone while a new secret is shown, and its message with it.
    if (!(await done) || !results.isConnected) return;
    await load();
    tell(told);
  }

  async function createKey() {
    if (live >= MAX_KEYS) {
      await inform("Key limit reached", element("p", {},
        `This owner has ${MAX_KEYS} keys, the most that it can have. Delete a key that you no longer use, then create another.`));
      return;
    }
    const key = await ask({
      title: "Create key",
      label: "Create key",
      check: faultsIn,
      act: (data) => keys.create(given({
        ...limitsIn(data), integrationId: data.get("integrationId")?.trim() ?? null,
      })),
      body: keyFields({}, keys.permissions, { integration: integrations ? "" : null }),
    });
    if (!key) return;
    await showSecret(key, { title: "Key created", url: urlOf(key) });
    await change(true, "Key created.");
  }

  async function rotate(key) {
    const rotated = await ask({
      title: `Rotate ${nameOf(key)}`,
      label: "Rotate",
      act: (data) => keys.rotate(key.id, Number(data.get("overlapSeconds"))),
      body: [
        element("p", {}, "Keyscope creates a new secret. The old secret works until the overlap ends, so that you can update your software."),
        key.state === "disabled"
          ? element("p", {}, "The key stays disabled. Enable it before you use the new secret.") : "",
        labeled("Overlap", "overlapSeconds", element("select", { id: "overlapSeconds", name: "overlapSeconds" },
          OVERLAPS.map(([seconds, label]) => element("option", { value: seconds }, label)))),
      ],
    });
    if (!rotated) return;
    const shown = { ...key, ...rotated };
    await showSecret(shown, { title: "New secret created", url: urlOf(shown) });
    await change(true, "Key rotated.");
  }

  const edit = (key) => change(ask({
    title: `Edit ${nameOf(key)}`,
    label: "Save",
    check: (data) => faultsIn(data, { nameRequired: Boolean(key.displayName) }),
    act: async (data) => (await keys.change(key.id, changesIn(key, data)), true),
    body: keyFields(key, keys.permissions),
  }), "Key updated.");

  const disable = (key) => change(ask({
    title: `Disable ${nameOf(key)}`,
    label: "Disable",
    dangerous: true,
    act: async () => (await keys.change(key.id, { disabled: true }), true),
    body: element("p", {}, "Requests with this key fail until you enable it again."),
  }), `Key disabled. ${TAKES_EFFECT}`);

  const enable = (key) =>
    change(attempt(() => keys.change(key.id, { disabled: false })), "Key enabled.");

  const endOverlap = (key) => change(ask({
    title: `End overlap of ${nameOf(key)}`,
    label: "End overlap",
    dangerous: true,
    act: async () => (await keys.endOverlap(key.id), true),
    body: element("p", {}, "The old secret stops working. Requests that still use it fail."),
  }), `Overlap ended. ${TAKES_EFFECT}`);

  const remove = (key) => change(askToConfirm({
    title: `Delete ${nameOf(key)}`,
    consequences: "Requests with this key, and with every token signed with it, fail. You cannot undo this.",
    text: nameOf(key),
    label: "Delete key",
    act: () => keys.remove(key.id),
  }), `Key deleted. ${TAKES_EFFECT}`);

  const details = (key) => inform(nameOf(key), factList(factsOf(key, load)));

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

  function nameCell(key) {
    return element("span", { class: "named" },
      button(nameOf(key), () => details(key), { class: "link strong", title: "Details" }),
      key.integrationId && !integrations ? element("span", { class: "sub" }, "Integration ", shortened(key.integrationId)) : "",
      key.allowedCidrs ? element("span", { class: "sub" },
        key.allowedCidrs.length === 1 ? `From ${key.allowedCidrs[0]}` : `From ${key.allowedCidrs.length} IP ranges`) : "");
  }

  function actions(key) {
    return menu(`Actions for ${nameOf(key)}`, [
      { name: "Details", act: () => details(key) },
      key.state === "expired" ? null : { name: "Rotate", act: () => rotate(key) },
      key.previousSecretEndsAt ? { name: "End overlap", act: () => endOverlap(key) } : null,
      { name: "Edit", act: () => edit(key) },
      key.state === "disabled" ? { name: "Enable", act: () => enable(key) } : { name: "Disable", act: () => disable(key) },
      { name: "Explain request", act: () => { location.hash = lens(key); } },
      { name: "Delete", act: () => remove(key), dangerous: true },
    ].filter(Boolean));
  }

  load();
  return [
    element("div", { class: "title-row" }, element("h2", {}, title, integrations ? "" : count), create),
    text ? element("p", { class: "lead" }, text) : null, faults, results,
  ].filter(Boolean);
}

function stateCell(key, whenOver) {
  if (key.state !== "active" || !key.previousSecretEndsAt) return badge(capitalized(key.state), LOOKS[key.state]);
  return [badge("Rotating", "info"), element("span", { class: "sub" }, "Old secret ends in ",
    countdown(key.previousSecretEndsAt, whenOver))];
}

function accessCell(key) {
  if (!key.permissions) return "Full access";
  if (key.permissions.length === 1 && key.permissions[0] === "read") return "Read only";
  const rest = key.permissions.length - SHOWN_PERMISSIONS;
  return element("span", { title: key.permissions.join(", ") },
    key.permissions.slice(0, SHOWN_PERMISSIONS).map((name) => element("span", { class: "permission" }, name)),
    rest > 0 ? element("span", { class: "sub" }, `and ${rest} more`) : "");
}

function lastUse(key) {
  // Null if the key was never used, absent if that is not known.
  if (key.lastUsedAt === undefined) return element("span", { title: "This stack does not record use." }, "—", spoken("Unknown"));
  return key.lastUsedAt ? moment(key.lastUsedAt) : "Never";
}

function expiry(key) {
  if (!key.expiresAt) return "Never";
  const left = new Date(key.expiresAt) - Date.now();
  if (left > SOON_MILLISECONDS) return moment(key.expiresAt);
  return element("span", { class: `badge ${left > 0 ? "warn" : "bad"}` }, left > 0 ? "" : "Expired ", moment(key.expiresAt));
}

function factsOf(key, whenOver) {
  return [
    { name: "Key ID", value: copyable(key.id, "the key ID") },
    { name: "State", value: badge(capitalized(key.state), LOOKS[key.state]) },
    key.integrationId ? { name: "Integration ID", value: copyable(key.integrationId, "the integration ID") } : null,
    { name: "Access", value: key.permissions ? element("ul", {}, key.permissions.map((name) => element("li", {}, element("code", {}, name)))) : "Full access" },
    { name: "Allowed IP ranges", value: key.allowedCidrs
      ? element("ul", {}, key.allowedCidrs.map((cidr) => element("li", {}, element("code", {}, cidr)))) : "Any" },
    { name: "Created", value: exactMoment(key.createdAt) },
    { name: "Last used", value: key.lastUsedAt ? exactMoment(key.lastUsedAt) : lastUse(key) },
    { name: "Expires", value: key.expiresAt ? exactMoment(key.expiresAt) : "Never" },
    key.rotatedAt ? { name: "Rotated", value: exactMoment(key.rotatedAt) } : null,
    key.previousSecretEndsAt ? { name: "Old secret ends in", value: countdown(key.previousSecretEndsAt, whenOver) } : null,
    key.disabledAt ? { name: "Disabled", value: exactMoment(key.disabledAt) } : null,
    key.suspendedAt ? { name: "Suspended by the operator", value: exactMoment(key.suspendedAt) } : null,
  ];
}

function given(members) {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null));
}

function nameOf(key) {
  return key.displayName ?? key.id;
}

function capitalized(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
