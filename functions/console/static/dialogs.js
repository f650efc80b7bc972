// Questions and answers in front of the page.

import { alertBox, button, copyable, copyButton, element, field } from "./dom.js";
import { sentencesOf } from "./errors.js";

/**
 * Ask for input in a dialog, and do what was asked for.
 *
 * `act` gets the form's values; the dialog closes when it is done, and tells what went wrong when it
 * is not. Returns what `act` returned, or nothing when the reader left.
 */
export function ask({ title, body, label, act, dangerous = false, ready = () => true }) {
  const faults = element("div");
  const submit = element("button", { type: "submit", class: dangerous ? "danger" : "primary" }, label);
  return open(title, (close) => {
    const form = element("form", {
      submit: async (event) => {
        event.preventDefault();
        submit.disabled = true;
        faults.replaceChildren();
        try {
          close(await act(Object.fromEntries(new FormData(form))));
        } catch (error) {
          faults.replaceChildren(alertBox(sentencesOf(error)));
          submit.disabled = false;
        }
      },
      input: () => (submit.disabled = !ready(Object.fromEntries(new FormData(form)))),
    }, body, faults, element("div", { class: "actions" },
      button("Cancel", () => close(), { class: "quiet" }), submit));
    submit.disabled = !ready(Object.fromEntries(new FormData(form)));
    return form;
  });
}

/** Ask the reader to type a text before something is destroyed. */
export function askToConfirm({ title, consequences, text, label, act }) {
  return ask({
    title,
    label,
    act: async () => (await act(), true),
    dangerous: true,
    ready: (values) => values.confirmation === text,
    body: [
      element("p", {}, consequences),
      field(`Type ${text} to confirm`, "confirmation", { autocapitalize: "none" }),
    ],
  });
}

/** Show a key's secret, this once. Escape does not close it: what is gone cannot be shown again. */
export function showSecret(key, { title, example }) {
  return open(title, (close) => [
    element("p", { class: "warning" },
      "This is the only time that the secret is shown. Copy it now and keep it where your software "
      + "keeps its secrets: Keyscope stores no copy that it could show."),
    element("dl", { class: "facts" },
      element("dt", {}, "Key id"), element("dd", {}, copyable(key.id, "the key id")),
      element("dt", {}, "Secret"), element("dd", {}, copyable(key.secret, "the secret"))),
    element("h3", {}, "Try it"),
    element("div", { class: "command" },
      element("pre", { tabindex: "0" }, element("code", {}, example)), copyButton(example, "the command")),
    element("div", { class: "actions" },
      button("I have kept the secret", () => close(), { class: "primary" })),
  ], { closable: false });
}

/** Open a dialog; returns what it is closed with. Focus goes back to where it was. */
function open(title, content, { closable = true } = {}) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    let result;
    const close = (value) => {
      result = value;
      dialog.close();
    };
    const dialog = element("dialog", {
      "aria-labelledby": "dialog-title",
      cancel: (event) => closable || event.preventDefault(),
      // Browsers let a second Escape close any dialog, unless the key itself is stopped.
      keydown: (event) => closable || event.key !== "Escape" || event.preventDefault(),
      close: () => {
        dialog.remove();
        if (before?.isConnected) before.focus();
        resolve(result);
      },
    }, element("h2", { id: "dialog-title" }, title));
    dialog.append(...[content(close)].flat(Infinity), element("p", { role: "status", class: "hint" }));
    document.body.append(dialog);
    dialog.showModal();
  });
}
