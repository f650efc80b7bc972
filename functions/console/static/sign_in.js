// Signing in: the secret goes into a WebCrypto key, and from then on exists in no variable.

import { API_URL, signIn } from "./api.js";
import { alertBox, element, field, heading, show, showFaults } from "./dom.js";
import { sentencesOf } from "./errors.js";
import { keyIdOf, looksWrong } from "./signing.js";

const NOT_SECURE = "Browsers sign only on secure pages. Open the console over HTTPS, or at 127.0.0.1.";

/** Show the form; returns the API once a key is accepted. */
export function showSignIn(told = []) {
  return new Promise((resolve) => {
    const notice = element("div", {}, told.length ? alertBox(told) : []);
    const faults = element("div");
    const keyId = field("Account key ID", "keyId", {
      autocapitalize: "none", placeholder: "act_…", class: "code",
    }, { hint: "Starts with act_ or svc_. You can leave it blank: the secret contains it." });
    const secret = field("Secret", "secret", { type: "password", placeholder: "ks_…", class: "code" },
      { hint: "The secret stays in this page. The page sends only short-lived tokens that it signs with the secret." });
    const submit = element("button", { type: "submit", class: "primary wide" }, "Sign in");
    const form = element("form", {
      novalidate: true,
      submit: async (event) => {
        event.preventDefault();
        const data = new FormData(form);
        const given = data.get("secret").trim();
        const id = data.get("keyId").trim() || (keyIdOf(given) ?? "");
        notice.replaceChildren();
        faults.replaceChildren();
        const wrong = looksWrong(id, given);
        showFaults(form, wrong);
        if (!isSecureContext) return faults.replaceChildren(alertBox([NOT_SECURE]));
        if (Object.keys(wrong).length) return;
        submit.disabled = true;
        submit.classList.add("busy");
        try {
          const api = await signIn(id, given);
          form.reset();
          resolve(api);
        } catch (error) {
          faults.replaceChildren(alertBox(sentencesOf(error)));
        }
        submit.disabled = false;
        submit.classList.remove("busy");
      },
    }, keyId, secret, faults, submit);
    show("Sign in", element("div", { class: "sign-in" },
      element("img", { src: "key.svg", alt: "Keyscope", width: "48", height: "48" }),
      heading("Sign in to Keyscope"),
      element("p", { class: "muted" }, "Manage API keys for ", element("code", {}, API_URL)),
      element("div", { class: "panel" }, notice, form,
        element("details", {}, element("summary", {}, "Where do I get a key?"),
          element("p", {}, "You need an account key (act_…) or a service account key (svc_…). An app's key cannot sign in."),
          element("ul", {},
            element("li", {}, "Ask the operator of this API, who creates accounts with ",
              element("code", {}, "keyscope account create"), "."),
            element("li", {}, "On your own computer, ", element("code", {}, "keyscope up"), " prints a key."))))));
  });
}
