// The console's frame: who is signed in, and which view the address asks for.

import { API_URL } from "./api.js";
import { showApp, showApps } from "./apps.js";
import { removeDialogs, removeQuestions, wouldLose } from "./dialogs.js";
import { alertBox, button, copyable, element, heading, icon, show, untell } from "./dom.js";
import { showServiceAccount, showServiceAccounts } from "./service_accounts.js";
import { showSignIn } from "./sign_in.js";

const IDLE_MINUTES = 15;
const SIGNED_OUT = `You were signed out after ${IDLE_MINUTES} minutes without activity. The secret is gone `
  + "from this page.";
const NOT_LOADED = "This part of the console did not load. Check your connection, then try again.";

const VIEWS = [
  [/^#\/apps$/, showApps],
  [/^#\/apps\/([0-9a-f]{24})(?:\/(integrations|settings))?$/, showApp],
  [/^#\/service-accounts$/, showServiceAccounts],
  [/^#\/service-accounts\/([0-9a-f]{16})(?:\/(settings))?$/, showServiceAccount],
  [/^#\/lens(?:\/([0-9a-f]{24})?\/((?:app|int|svc)_[0-9a-f]{24}))?$/, showLens],
];
const PARTS = [
  ["Apps", "#/apps", "apps"],
  ["Service accounts", "#/service-accounts", "people"],
  ["Policy lens", "#/lens", "lens"],
];
const SHORTCUTS = { "/": "#search", n: "[data-create]" };

async function run(told) {
  banner();
  const api = await showSignIn(told);
  const ended = new AbortController();
  const { signal } = ended;
  const end = (reasons) => {
    ended.abort();
    view.abort();
    removeDialogs();
    untell();
    run(reasons);
  };
  let view = new AbortController();
  const route = () => {
    // What the view before still waits for must not come up over this one.
    view.abort();
    view = new AbortController();
    removeQuestions();
    untell();
    banner(api, () => end([]));
    const [expression, show] = VIEWS.find(([each]) => each.test(location.hash)) ?? VIEWS[0];
    scrollTo(0, 0);
    show(api.within(view.signal, signal), ...(expression.exec(location.hash)?.slice(1) ?? []));
  };
  addEventListener("hashchange", route, { signal });
  addEventListener("beforeunload", (event) => wouldLose() && event.preventDefault(), { signal });
  addEventListener("keydown", shortcut, { signal });
  whenIdle(() => end([SIGNED_OUT]), signal);
  route();
}

/** Show the policy lens, which is loaded when it is first asked for. */
async function showLens(api, appId, keyId) {
  let lens;
  try {
    lens = await import("./lens.js");
  } catch {
    show("Policy lens", heading("Policy lens"), alertBox([NOT_LOADED], () => showLens(api, appId, keyId)));
    return;
  }
  if (!api.isLeft()) lens.showLens(api, appId, keyId);
}

function banner(api, signOut) {
  document.body.classList.toggle("signed-in", Boolean(api));
  const place = document.getElementById("banner");
  place.removeAttribute("data-open");
  if (!api) return place.replaceChildren();
  const here = location.hash.split("/").slice(0, 2).join("/") || PARTS[0][1];
  const toggle = button([icon("menu"), "Menu"], () => {
    const open = place.toggleAttribute("data-open");
    toggle.setAttribute("aria-expanded", String(open));
    if (open) place.querySelector("nav a").focus();
  }, { class: "menu-toggle", "aria-expanded": "false", "aria-controls": "side" });
  place.onkeydown = (event) => {
    if (event.key !== "Escape" || !place.hasAttribute("data-open")) return;
    toggle.click();
    toggle.focus();
  };
  place.replaceChildren(
    element("a", { href: "#/apps", class: "brand" },
      element("img", { src: "key.svg", alt: "", width: "28", height: "28" }), element("strong", {}, "Keyscope")),
    toggle,
    element("div", { id: "side" },
      element("nav", { "aria-label": "Console" }, PARTS.map(([name, target, image]) =>
        element("a", { href: target, "aria-current": target === here ? "page" : null }, icon(image), name))),
      element("div", { class: "account" },
        element("span", { class: "muted" }, api.isUserAccount ? "Account key" : "Service account key"),
        copyable(api.keyId, "the ID of your key"),
        element("span", { class: "muted api" }, API_URL.replace(/^https?:\/\//, "")),
        button("Sign out", signOut))));
}

/** Act on a key that is typed outside of fields, dialogs and menus. */
function shortcut(event) {
  const selector = SHORTCUTS[event.key];
  if (!selector || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog, [role=menu]")) return;
  if (document.querySelector("dialog[open]")) return;
  const target = [...document.querySelectorAll(selector)].find((each) => each.checkVisibility());
  if (!target) return;
  event.preventDefault();
  if (event.key === "/") target.focus();
  else target.click();
}

/** Act once the page was not used for a while, also when the computer slept meanwhile. */
function whenIdle(act, signal) {
  let lastUse = Date.now();
  const isIdle = () => Date.now() - lastUse >= IDLE_MINUTES * 60000;
  const look = () => isIdle() && act();
  const used = (event) => {
    if (!isIdle()) lastUse = Date.now();
    else {
      event.stopImmediatePropagation();
      act();
    }
  };
  const timer = setInterval(look, 10000);
  for (const name of ["pointerdown", "keydown"])
    addEventListener(name, used, { signal, capture: true });
  document.addEventListener("visibilitychange", look, { signal });
  // A page that the browser keeps for the way back would keep its signer, too.
  addEventListener("pagehide", act, { signal });
  signal.addEventListener("abort", () => clearInterval(timer));
}

run([]);
