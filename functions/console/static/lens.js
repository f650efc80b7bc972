// The policy lens: what a credential contains, and what the authorizer decides for one request.

import { alertBox, badge, button, copyable, copyButton, element, factList, field, heading, icon, labeled, rich, show, showFaults } from "./dom.js";
import { fieldsOf, sentencesOf } from "./errors.js";
import { policyTree } from "./policy_tree.js";
import { readCredential } from "./read_credential.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const KINDS = [
  ["rest", "REST API"], ["http", "HTTP API"], ["websocket", "WebSocket API"],
  ["rest-token", "REST API with a TOKEN authorizer"],
];
const RESULTS = {
  passes: ["good", "Allowed", "The authorizer allows this request."],
  401: ["bad", "401 Unauthorized", "The credential is not valid."],
  403: ["bad", "403 Forbidden", "The credential is valid, but its policy does not allow this request."],
  500: ["warn", "500 Error", "The authorizer failed before it decided."],
};
const VERDICTS = { passed: ["check", "Passed"], failed: ["cross", "Failed"], not_reached: ["dash", "Not reached"] };
const NAMES = {
  keyId: "Key ID", scope: "Scope", ownerType: "Owner", accountId: "Account ID", serviceAccountId: "Service account ID",
  appId: "App ID", userId: "User ID", integrationId: "Integration ID", permissions: "Permissions",
  accountExternalId: "External account ID", appExternalId: "External app ID", credentialKind: "Credential",
};
const OWNERS = { app: "App", account: "Account", serviceAccount: "Service account" };
const CREDENTIALS = { basic: "Basic", jwt: "JWT", bearerSecret: "Bearer secret" };
const STILL_DENIED = "If the API still denies the request, API Gateway may use an earlier policy from its cache. "
  + "Try again in a few minutes.";
// Only the stack's operator can follow advice that names these, not the holder of a key.
const FOR_OPERATORS = /\bparameter|access map|keyscope |`[A-Z][a-z]+[A-Z]\w+`|\brole\b|KMS|DynamoDB|authorizer/i;

/** Show the lens; a key may be named whose requests are to be explained. */
export function showLens(api, appId = "", keyId = "") {
  const read = element("div", { "aria-live": "polite" });
  const result = element("div", { class: "result", "aria-live": "polite" });
  const submit = element("button", { type: "submit", class: "primary" }, "Explain");
  const form = element("form", {
    novalidate: true, class: "panel",
    input: (event) => event.target.name === "credential" && showRead(event.target.value),
    submit: async (event) => {
      event.preventDefault();
      const asked = question(new FormData(form));
      const wrong = faultsOf(asked);
      showFaults(form, wrong);
      if (Object.keys(wrong).length) return;
      submit.disabled = true;
      submit.classList.add("busy");
      result.replaceChildren();
      try {
        result.replaceChildren(...explained(await api.explain(asked)));
        result.querySelector("h2").focus();
      } catch (error) {
        const fields = fieldsOf(error);
        const elsewhere = Object.keys(fields).length ? showFaults(form, fields) : sentencesOf(error);
        if (elsewhere.length) result.replaceChildren(alertBox(elsewhere, () => form.requestSubmit()));
      }
      submit.disabled = false;
      submit.classList.remove("busy");
    },
  },
  field("Credential", "credential", { tag: "textarea", rows: "3", placeholder: "Bearer ks_… or Basic …", class: "code" }, {
    hint: keyId ? ["The Authorization header of a request with the key ", element("code", {}, keyId), "."]
      : "The value of the request's Authorization header. Keyscope explains keys of your own account only.",
  }),
  read,
  element("div", { class: "columns request" },
    choice("Method", "method", METHODS.map((method) => [method, method])),
    field("Path", "path", { value: appId ? `/v2/apps/${appId}/users` : "/v2/apps", class: "code" },
      { hint: "Without the stage." })),
  element("details", { class: "more" }, element("summary", {}, "More options"),
    element("div", { class: "columns" },
      choice("API type", "apiKind", KINDS),
      field("Source address", "sourceAddress", { placeholder: "192.0.2.7", class: "code" },
        { hint: "For keys with allowed IP ranges." }))),
  element("div", { class: "actions" }, submit,
    button("Clear", () => {
      form.reset();
      showFaults(form, {}, { focus: false });
      showRead("");
      result.replaceChildren();
    }),
    element("p", { class: "hint" }, "Explain sends the credential to this API, which does not log it.")));
  show("Policy lens", heading("Policy lens"),
    element("p", { class: "lead" }, "Find out why the authorizer allows or denies a request."), form, result);

  function showRead(value) {
    const { kind, facts, faults } = readCredential(value);
    read.replaceChildren(...(kind ? [element("section", { class: "inset", "aria-label": "Decoded credential" },
      element("h2", {}, kind === "Unknown" ? "Unknown scheme" : `Decoded ${kind} (not verified)`),
      faults.length ? alertBox(faults) : "",
      named(facts))] : []));
  }
}

function question(values) {
  const asked = Object.fromEntries(values);
  for (const name of ["credential", "path", "sourceAddress"]) asked[name] = asked[name].trim();
  if (!asked.sourceAddress) delete asked.sourceAddress;
  return asked;
}

function faultsOf({ path }) {
  return path.startsWith("/") ? {} : { path: "Enter a path that starts with a slash." };
}

function explained({ explanation }) {
  const [look, status, sentence] = RESULTS[explanation.answer];
  const failed = explanation.steps.find(({ verdict }) => verdict === "failed");
  const report = JSON.stringify(explanation, null, 2);
  return [
    element("section", { class: `panel verdict ${look}`, "aria-labelledby": "answer" },
      element("h2", { id: "answer", tabindex: "-1" }, badge(status, look), " ", sentence),
      failed?.advice ? [element("h3", {}, "What to do"), element("p", { class: "advice" }, rich(failed.advice)),
        FOR_OPERATORS.test(failed.advice) ? element("p", { class: "hint" },
          "Only the operator of this API can change the stack or its access map. Send the operator this explanation; it contains no secret. ",
          copyButton(report, "the explanation", { label: "Copy explanation" })) : ""] : "",
      named([
        ...(explanation.reason ? [["Reason code", element("code", {}, explanation.reason)]] : []),
        ...Object.entries(explanation.principal ?? {}),
      ])),
    element("section", { class: "panel", "aria-labelledby": "steps" },
      element("h2", { id: "steps" }, "Step by step"),
      element("ol", { class: "steps" }, explanation.steps.map(step))),
    explanation.policy
      ? element("section", { class: "panel", "aria-labelledby": "policy" },
        element("h2", { id: "policy" }, "Policy"), policyTree(explanation.policy)) : "",
  ].filter(Boolean);
}

function step({ title, verdict, reason, detail, advice }) {
  const [image, spoken] = VERDICTS[verdict];
  return element("li", { class: verdict },
    element("span", { class: "mark", role: "img", "aria-label": spoken }, icon(image)),
    element("div", {}, title, reason ? [" ", element("code", {}, reason)] : "",
      detail ? element("p", { class: "hint" }, rich(detail)) : "",
      // A failed step's advice is above the steps. Advice on one that passed is about a cached policy.
      advice && verdict === "passed" ? element("p", { class: "hint" }, STILL_DENIED) : ""));
}

/** Return facts whose names are the API's or a reader's; ids can be copied. */
function named(facts) {
  return factList(facts.filter(([name]) => name !== "secretGeneration").map(([name, value]) => ({
    name: NAMES[name] ?? name,
    value: name === "ownerType" ? OWNERS[value] ?? value
      : name === "credentialKind" ? CREDENTIALS[value] ?? value
        : /Id$|^Key ID$/.test(name) ? copyable(value, `the ${NAMES[name] ?? name}`) : value,
  })));
}

function choice(label, name, options) {
  return labeled(label, name, element("select", { id: name, name },
    options.map(([value, shown]) => element("option", { value }, shown))));
}
