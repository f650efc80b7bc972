// The console's frame: who is signed in, and which view the address asks for.

import { showApp, showApps } from "./apps.js";
import { removeDialogs, removeQuestions, wouldLose } from "./dialogs.js";
import { button, element } from "./dom.js";
import { showLens } from "./lens.js";
import { showServiceAccount, showServiceAccounts } from "./service_accounts.js";
import { showSignIn } from "./sign_in.js";

const IDLE_MINUTES = 15;
const SIGNED_OUT = `You were signed out after ${IDLE_MINUTES} minutes without use. The secret is gone `
  + "from the page.";

const VIEWS = [
  [/^#\/apps$/, showApps],
  [/^#\/apps\/([0-9a-f]{24})$/, showApp],
  [/^#\/service-accounts$/, showServiceAccounts],
  [/^#\/service-accounts\/([0-9a-f]{16})$/, showServiceAccount],
  [/^#\/lens$/, showLens],
];
const PARTS = [["Apps", "#/apps"], ["Service accounts", "#/service-accounts"], ["Policy lens", "#/lens"]];

async function run(told) {
  banner();
  const api = await showSignIn(told);
  const ended = new AbortController();
  const { signal } = ended;
  const end = (reasons) => {
    ended.abort();
    view.abort();
    removeDialogs();
    run(reasons);
  };
  let view = new AbortController();
  const route = () => {
    // What the view before still waits for must not come up over this one.
    view.abort();
    view = new AbortController();
    removeQuestions();
    banner(api, () => end([]));
    const [expression, show] = VIEWS.find(([each]) => each.test(location.hash)) ?? VIEWS[0];
    show(api.within(view.signal, signal), ...(expression.exec(location.hash)?.slice(1) ?? []));
  };
  addEventListener("hashchange", route, { signal });
  addEventListener("beforeunload", (event) => wouldLose() && event.preventDefault(), { signal });
  whenIdle(() => end([SIGNED_OUT]), signal);
  route();
}

function banner(api, signOut) {
  const here = location.hash.split("/").slice(0, 2).join("/") || PARTS[0][1];
  document.getElementById("banner").replaceChildren(
    element("strong", { class: "name" }, "Keyscope"),
    api ? element("nav", { "aria-label": "Parts of the console" }, PARTS.map(([name, target]) =>
      element("a", { href: target, "aria-current": target === here ? "page" : null }, name))) : "",
    api ? element("div", { class: "signed-in" },
      element("span", {}, "Signed in with ", element("code", {}, api.keyId)),
      button("Sign out", signOut, { class: "quiet" })) : "");
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
