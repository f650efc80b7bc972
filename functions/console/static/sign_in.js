// Signing in: the secret goes into a WebCrypto key, and from then on exists in no variable.

import { API_URL, signIn } from "./api.js";
import { alertBox, element, field, heading, show } from "./dom.js";
import { sentencesOf } from "./errors.js";
import { looksWrong } from "./signing.js";

const NOT_SECURE = "Signing needs HTTPS, or 127.0.0.1: open the console at such an address.";

/** Show the form; returns the API once a key is accepted. */
export function showSignIn(told = []) {
  return new Promise((resolve) => {
    const faults = element("div", {}, told.length ? alertBox(told) : []);
    const keyId = field("Key id", "keyId", { autocapitalize: "none", placeholder: "act_…" });
    const secret = field("Secret", "secret", { type: "password", placeholder: "ks_…" },
      "It stays in this page's memory: the page signs short-lived tokens with it and sends those.");
    const submit = element("button", { type: "submit", class: "primary" }, "Sign in");
    const form = element("form", {
      class: "narrow",
      submit: async (event) => {
        event.preventDefault();
        const values = new FormData(form);
        const [id, given] = ["keyId", "secret"].map((name) => values.get(name).trim());
        const wrong = isSecureContext ? looksWrong(id, given) : NOT_SECURE;
        if (wrong) return faults.replaceChildren(alertBox([wrong]));
        submit.disabled = true;
        try {
          const api = await signIn(id, given);
          form.reset();
          resolve(api);
        } catch (error) {
          faults.replaceChildren(alertBox(sentencesOf(error)));
          submit.disabled = false;
        }
      },
    }, keyId, secret, faults, element("div", { class: "actions" }, submit));
    show("Sign in", heading("Sign in"),
      element("p", {}, "Manage the apps and keys behind ", element("code", {}, API_URL),
        " with a key of account scope: a user account's (act_…) or a service account's (svc_…)."),
      form);
  });
}
