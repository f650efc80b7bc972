// The policy lens: what a credential says, and what the authorizer makes of it for one request.

import { alertBox, button, copyable, element, field, heading, show } from "./dom.js";
import { sentencesOf } from "./errors.js";
import { policyTree } from "./policy_tree.js";
import { readCredential } from "./read_credential.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const KINDS = [
  ["rest", "REST API"], ["http", "HTTP API"], ["websocket", "WebSocket API"],
  ["rest-token", "REST API with a TOKEN authorizer"],
];
const ANSWERS = {
  passes: ["allowed", "The request passes."],
  401: ["refused", "API Gateway returns 401: the credential is not valid."],
  403: ["refused", "API Gateway returns 403: the policy does not allow the request."],
  500: ["failed", "API Gateway returns 500: the authorizer could not decide."],
};
const VERDICTS = { passed: "passed", failed: "failed", not_reached: "not reached" };

/** Show the lens. */
export function showLens(api) {
  const read = element("div");
  const result = element("div", { class: "result", "aria-live": "polite" });
  const submit = element("button", { type: "submit", class: "primary" }, "Explain");
  const form = element("form", {
    input: (event) => event.target.name === "credential" && showRead(event.target.value),
    submit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      result.replaceChildren(element("p", {}, "Asking…"));
      try {
        const asked = question(new FormData(form));
        result.replaceChildren(...explained(await api.explain(asked)));
        result.scrollIntoView();
      } catch (error) {
        result.replaceChildren(alertBox(sentencesOf(error)));
      }
      submit.disabled = false;
    },
  },
  field("Credential", "credential", { tag: "textarea", rows: "4", placeholder: "Basic … or Bearer …" },
    "The value of an Authorization header. It is read here, in the page, as you paste it."),
  read,
  field("Path", "path", { value: "/v2/apps", required: true }, "What follows the stage."),
  element("div", { class: "columns" },
    choice("Method", "method", METHODS.map((method) => [method, method])),
    choice("Through", "apiKind", KINDS),
    field("Source address", "sourceAddress", { placeholder: "192.0.2.7" },
      "For keys that work from some networks only.")),
  element("p", { class: "hint" }, "Explain sends the credential to this API's explain endpoint, which "
    + "answers for keys of your own account only and logs no credential."),
  element("div", { class: "actions" }, submit,
    button("Clear", () => {
      form.reset();
      showRead("");
      result.replaceChildren();
    }, { class: "quiet" })));
  show("Policy lens", heading("Policy lens"),
    element("p", {}, "Find out why a request passes or is refused."), form, result);

  function showRead(value) {
    const { kind, facts, faults } = readCredential(value);
    read.replaceChildren(...(kind ? [element("section", { class: "panel", "aria-label": "What it says" },
      element("h2", {}, `${kind}, as it says of itself`),
      faults.length ? alertBox(faults) : "",
      factList(facts))] : []));
  }
}

function question(values) {
  const asked = Object.fromEntries(values);
  for (const name of ["credential", "path", "sourceAddress"]) asked[name] = asked[name].trim();
  if (!asked.sourceAddress) delete asked.sourceAddress;
  return asked;
}

function explained({ explanation }) {
  const [look, sentence] = ANSWERS[explanation.answer];
  return [
    element("section", { class: "panel", "aria-labelledby": "answer" },
      element("h2", { id: "answer" }, element("span", { class: `badge ${look}` }, look), " ", sentence),
      explanation.reason
        ? element("p", {}, "Reason in the operator's log: ", element("code", {}, explanation.reason)) : "",
      explanation.principal ? factList(Object.entries(explanation.principal)) : ""),
    element("section", { "aria-labelledby": "steps" },
      element("h2", { id: "steps" }, "Step by step"),
      element("ol", { class: "steps" }, explanation.steps.map(step))),
    explanation.policy
      ? element("section", { "aria-labelledby": "policy" },
        element("h2", { id: "policy" }, "The policy"),
        policyTree(explanation.policy)) : "",
  ];
}

function step({ title, verdict, reason, detail, advice }) {
  return element("li", { class: verdict },
    element("span", { class: `badge ${verdict}` }, VERDICTS[verdict]), " ", title,
    reason ? [" ", element("code", {}, reason)] : "",
    detail ? element("p", { class: "hint" }, detail) : "",
    advice ? element("p", {}, advice) : "");
}

function factList(facts) {
  return element("dl", { class: "facts" }, facts.map(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, /Id$|^Key id$/.test(name) ? copyable(value, name) : value)]));
}

function choice(label, name, options) {
  return element("div", { class: "field" }, element("label", { for: name }, label),
    element("select", { id: name, name },
      options.map(([value, shown]) => element("option", { value }, shown))));
}
