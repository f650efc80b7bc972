// The fields of a key's name and limits, and what is wrong with them before they are sent.

import { button, element, errorPlace, field, labeled, setFault } from "./dom.js";
import { exact, fromLocal, inDays, toLocal } from "./times.js";

const PRESETS = [["never", "Never"], ["30", "30 days"], ["90", "90 days"], ["365", "1 year"], ["custom", "Custom date"]];
const MAX_CIDRS = 8;
const MAX_PERMISSIONS = 16;
const READ_ONLY = "read";
const NAMES = /^[A-Za-z][A-Za-z0-9:._-]{0,39}$/;
const INTEGRATION_ID = /^[0-9a-f]{24}$/;
const SHOWN_ROUTES = 6;
const PAUSE_MILLISECONDS = 800;

/** Return the fields. `permissions` is a promise of those that the owner's keys can have. */
export function keyFields(key, permissions, { integration = null } = {}) {
  return [
    field("Name", "displayName", {
      value: key.displayName ?? "", maxlength: "100", placeholder: "Shop server",
    }, { hint: "What uses this key." }),
    integration === null ? null
      : field("Integration ID", "integrationId", {
        value: integration, maxlength: "24", autocapitalize: "none", class: "code",
      }, { hint: "24 characters of 0-9 and a-f. The key reaches only what belongs to this integration." }),
    accessField(key, permissions),
    expirationField(key),
    addressField(key),
  ];
}

/** Return the limits in a form's data, as the API takes them; null is no limit. */
export function limitsIn(data) {
  const cidrs = linesOf(data.get("allowedCidrs")).map(([, line]) => line);
  const chosen = data.get("access");
  const typed = (data.get("typedPermissions") ?? "").split(/[\s,]+/).filter(Boolean);
  const permissions = chosen === "read" ? [READ_ONLY]
    : chosen === "custom" ? [...data.getAll("permission"), ...typed] : null;
  return {
    displayName: data.get("displayName").trim() || null,
    expiresAt: expiryIn(data),
    allowedCidrs: cidrs.length ? cidrs : null,
    permissions,
  };
}

/** Return what is wrong with a form's data, by the fields' names. */
export function faultsIn(data, { nameRequired = true } = {}) {
  const { displayName, permissions, expiresAt } = limitsIn(data);
  const integrationId = data.get("integrationId");
  const faults = {
    displayName: nameRequired && !displayName ? "Enter a name." : "",
    integrationId: integrationId !== null && !INTEGRATION_ID.test(integrationId.trim())
      ? "Enter the integration's ID: 24 characters of 0-9 and a-f." : "",
    permissions: permissions === null ? ""
      : !permissions.length ? "Choose at least one permission, or full access."
        : permissions.length > MAX_PERMISSIONS ? `Choose at most ${MAX_PERMISSIONS} permissions.`
          : permissions.filter((name) => !NAMES.test(name)).map((name) => `“${name}” is not a permission name.`)[0] ?? "",
    expiresAt: data.get("expiry") !== "custom" ? ""
      : expiresAt === null ? "Choose a date and a time."
        : new Date(expiresAt) <= Date.now() ? "This time has passed. Choose a later one." : "",
    allowedCidrs: faultOfCidrs(data.get("allowedCidrs")),
  };
  return Object.fromEntries(Object.entries(faults).filter(([, fault]) => fault));
}

/** Return the members that the reader changed. A limit that is emptied is removed; a name is not. */
export function changesIn(key, data) {
  const before = {
    displayName: key.displayName ?? null,
    expiresAt: key.expiresAt ?? null,
    allowedCidrs: key.allowedCidrs ?? null,
    permissions: key.permissions ?? null,
  };
  const { expiresAt, ...limits } = limitsIn(data);
  const after = data.get("expiry") === "keep" ? limits : { ...limits, expiresAt };
  return Object.fromEntries(Object.entries(after).filter(([name, value]) =>
    JSON.stringify(value) !== JSON.stringify(before[name]) && !(name === "displayName" && !value)));
}

function expirationField(key) {
  const shown = element("p", { class: "hint", "aria-live": "polite" });
  const date = element("input", {
    type: "datetime-local", id: "expiresAt", name: "expiresAt", "aria-label": "Expiration date and time",
    hidden: true, value: toLocal(inDays(30)),
  });
  const select = element("select", { id: "expiry", name: "expiry" },
    key.expiresAt ? element("option", { value: "keep" }, `Keep ${exact(key.expiresAt)}`) : null,
    PRESETS.map(([value, label]) => element("option", { value }, label)));
  const refresh = () => {
    date.hidden = select.value !== "custom";
    const at = select.value === "keep" ? key.expiresAt : expiryIn(new Map([["expiry", select.value], ["expiresAt", date.value]]));
    shown.textContent = at ? `The key expires on ${exact(at)}, your time.` : "The key works until you delete or disable it.";
  };
  select.addEventListener("change", refresh);
  date.addEventListener("input", refresh);
  refresh();
  select.setAttribute("aria-describedby", "expiresAt-error");
  shown.id = "expiresAt-hint";
  return element("div", { class: "field", "data-field": "expiresAt" },
    element("label", { for: "expiry" }, "Expiration"),
    element("div", { class: "beside" }, select, date), shown, errorPlace("expiresAt"));
}

function expiryIn(data) {
  const chosen = data.get("expiry");
  if (chosen === "custom") return data.get("expiresAt") ? fromLocal(data.get("expiresAt")) : null;
  return chosen === "never" || chosen === "keep" ? null : inDays(Number(chosen));
}

function accessField(key, permissions) {
  const had = key.permissions ?? [];
  const initial = !key.permissions ? "full" : had.length === 1 && had[0] === READ_ONLY ? "read" : "custom";
  const list = element("div", { class: "checklist", hidden: initial !== "custom" },
    element("p", { class: "hint" }, "Loading permissions…"));
  const option = (value, label, hint) => element("label", { class: "choice" },
    element("input", {
      type: "radio", name: "access", value, checked: value === initial,
      change: () => { list.hidden = value !== "custom"; },
    }), element("span", {}, element("span", { class: "choice-name" }, label), element("span", { class: "hint" }, hint)));
  const readOnly = option("read", "Read only", "Every GET request in the key's scope.");
  // It has its place while the permissions load, or the choice below would move under the pointer.
  const offerReadOnly = (offered) => {
    readOnly.hidden = !offered && initial !== "read";
    readOnly.control.disabled = readOnly.hidden;
  };
  readOnly.control.disabled = initial !== "read";
  const load = () => permissions().then((known) => {
    offerReadOnly(known.some(({ name }) => name === READ_ONLY));
    list.replaceChildren(...(known.length || had.length ? [...known, ...unknown(had, known)].map((each) => check(each, had))
      : [element("p", { class: "hint" }, "This API's access map defines no permissions.")]));
  }, () => {
    // A key can lack the route that lists them, and may still set the names.
    offerReadOnly(false);
    list.replaceChildren(
      element("p", { class: "hint" }, "The list of permissions did not load. Type their names, separated by spaces, or ",
        button("try again", load, { class: "link" }), "."),
      element("input", {
        name: "typedPermissions", "aria-label": "Permission names", value: had.join(" "), class: "code",
        autocomplete: "off", spellcheck: "false", placeholder: "conversations:read users:write",
      }));
  });
  load();
  return element("fieldset", { class: "field", "data-field": "permissions", "aria-describedby": "permissions-error" },
    element("legend", {}, "Access"),
    option("full", "Full access", "Everything that this kind of key can reach."),
    readOnly,
    option("custom", "Choose permissions", "Only the parts of the API that you select."),
    list, errorPlace("permissions"));
}

function unknown(had, known) {
  return had.filter((name) => !known.some((each) => each.name === name))
    .map((name) => ({ name, description: "The access map does not define this permission, so it grants nothing.", routes: [] }));
}

function check({ name, description, routes }, had) {
  return element("div", { class: "check" },
    element("label", { class: "choice" },
      element("input", { type: "checkbox", name: "permission", value: name, checked: had.includes(name) }),
      element("span", {}, element("code", { class: "choice-name" }, name),
        description ? element("span", { class: "hint" }, description) : "")),
    routes.length ? element("details", { class: "routes" },
      element("summary", {}, `${routes.length} ${routes.length === 1 ? "route" : "routes"}`),
      element("ul", {}, routes.slice(0, SHOWN_ROUTES).map((route) => element("li", {}, element("code", {}, route))),
        routes.length > SHOWN_ROUTES ? element("li", {}, `and ${routes.length - SHOWN_ROUTES} more`) : "")) : "");
}

function addressField(key) {
  const control = element("textarea", {
    id: "allowedCidrs", name: "allowedCidrs", rows: "2", spellcheck: "false", class: "code",
    placeholder: "192.0.2.0/24", autocapitalize: "none",
    // What is being typed is not finished, and an error that comes as the field is left would move
    // the button that the reader is about to press.
    input: () => {
      clearTimeout(control.timer);
      if (!faultOfCidrs(control.value)) setFault(made, "");
      else control.timer = setTimeout(() => setFault(made, faultOfCidrs(control.value)), PAUSE_MILLISECONDS);
    },
  }, (key.allowedCidrs ?? []).join("\n"));
  const made = labeled("Allowed IP ranges", "allowedCidrs", control, {
    hint: "One range per line, up to 8, such as 192.0.2.0/24. Blank = any address.",
  });
  return made;
}

function linesOf(text) {
  return text.split("\n").map((line, index) => [index + 1, line.trim()]).filter(([, line]) => line);
}

function faultOfCidrs(text) {
  const lines = linesOf(text);
  if (lines.length > MAX_CIDRS) return `Enter at most ${MAX_CIDRS} ranges.`;
  for (const [number, line] of lines) {
    const fault = faultOfCidr(line);
    if (fault) return `Line ${number}: ${fault}`;
  }
  return "";
}

/** Return what is wrong with an IP range. The API checks the bits of IPv6 addresses. */
function faultOfCidr(text) {
  const [address, prefix, ...rest] = text.split("/");
  const form = `“${text}” is not an IP range. Use a form such as 192.0.2.0/24 or 2001:db8::/32.`;
  if (rest.length || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return form;
  if (address.includes(":")) {
    if (!URL.canParse(`http://[${address}]/`)) return form;
    return Number(prefix ?? 128) > 128 ? "An IPv6 prefix is at most /128." : "";
  }
  const octets = address.split(".");
  if (octets.length !== 4 || octets.some((each) => !/^(0|[1-9]\d{0,2})$/.test(each) || Number(each) > 255)) return form;
  const length = Number(prefix ?? 32);
  if (length > 32) return "An IPv4 prefix is at most /32.";
  const value = octets.reduce((sum, each) => sum * 256 + Number(each), 0);
  const first = value - (value % 2 ** (32 - length));
  if (first === value) return "";
  const network = [24, 16, 8, 0].map((bits) => Math.floor(first / 2 ** bits) % 256).join(".");
  return `${text} is an address inside a range. Use ${network}/${length}.`;
}
