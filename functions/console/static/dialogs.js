// Questions and answers in front of the page.

import { alertBox, button, copyable, copyButton, element, field, tell } from "./dom.js";
import { sentencesOf } from "./errors.js";

/**
 * Ask for input in a dialog, and do what was asked for.
 *
 * `act` gets the form's values; the dialog closes when it is done, and tells what went wrong when it
 * is not. What is under way cannot be cancelled, only answered. Returns what `act` returned, or
 * nothing when the reader cancelled.
 */
export function ask({ title, body, label, act, dangerous = false, ready = () => true }) {
  const faults = element("div");
  const submit = element("button", { type: "submit", class: dangerous ? "danger" : "primary" }, label);
  return open(title, (close, dialog) => {
    const cancel = button("Cancel", () => close(), { class: "quiet" });
    const values = () => Object.fromEntries(new FormData(form));
    const refresh = () => {
      cancel.disabled = isBusy(dialog);
      submit.disabled = isBusy(dialog) || !ready(values());
    };
    const form = element("form", {
      submit: async (event) => {
        event.preventDefault();
        dialog.setAttribute("aria-busy", "true");
        refresh();
        faults.replaceChildren();
        try {
          close(await act(values()));
        } catch (error) {
          dialog.removeAttribute("aria-busy");
          refresh();
          if (dialog.isConnected) faults.replaceChildren(alertBox(sentencesOf(error)));
          else tell(sentencesOf(error).join(" "));
        }
      },
      input: refresh,
    }, body, faults, element("div", { class: "actions" }, cancel, submit));
    refresh();
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

/** Show a key's secret, this once. Only its button closes it: what is gone cannot be shown again. */
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
  ], { holdsSecret: true });
}

/** Remove the questions of a view that is left. A new secret stays, whichever view is behind it. */
export function removeQuestions() {
  document.querySelectorAll("dialog:not([data-secret])").forEach((dialog) => dialog.remove());
}

/** Remove all dialogs. */
export function removeDialogs() {
  document.querySelectorAll("dialog").forEach((dialog) => dialog.remove());
}

/** Return whether a secret, or an answer that may hold one, would be lost with the page. */
export function wouldLose() {
  return document.querySelector("dialog[data-secret], dialog[aria-busy]") !== null;
}

function isBusy(dialog) {
  return dialog.hasAttribute("aria-busy");
}

/** Open a dialog; returns what it is closed with. Focus goes back to where it was. */
function open(title, content, { holdsSecret = false } = {}) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    const close = (value) => {
      dialog.close();
      dialog.remove();
      if (before?.isConnected) before.focus();
      // The view may have changed behind the dialog, and found the focus taken.
      if (document.activeElement === document.body) document.querySelector("#content h1")?.focus();
      resolve(value);
    };
    const isHeld = () => holdsSecret || isBusy(dialog);
    const dialog = element("dialog", {
      // A secret can come up over a question, so no id is shared between them.
      "aria-label": title,
      "data-secret": holdsSecret,
      cancel: (event) => isHeld() && event.preventDefault(),
      // Browsers let a second Escape close any dialog, unless the key itself is stopped.
      keydown: (event) => isHeld() && event.key === "Escape" && event.preventDefault(),
      // A phone's Back is no key, and closes any dialog when it is pressed twice.
      close: () => dialog.isConnected && (isHeld() ? dialog.showModal() : close()),
    }, element("h2", {}, title));
    dialog.append(...[content(close, dialog)].flat(Infinity), element("p", { role: "status", class: "hint" }));
    document.body.append(dialog);
    dialog.showModal();
  });
}
