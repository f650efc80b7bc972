// Questions and answers in front of the page.

import { alertBox, button, element, field, icon, showFaults, tell, untell } from "./dom.js";
import { fieldsOf, sentencesOf } from "./errors.js";

/**
 * Ask for input in a dialog, and do what was asked for.
 *
 * `act` gets the form's data; the dialog closes when it is done, and says what went wrong when it
 * fails, at the field if it has one. `check` returns what is wrong before anything is sent, by the
 * field's name. What is under way cannot be canceled, only answered. Returns what `act` returned, or
 * nothing when the reader canceled.
 */
export function ask({ title, body, label, act, check = () => ({}), dangerous = false, ready = () => true }) {
  const faults = element("div");
  const submit = element("button", { type: "submit", class: dangerous ? "danger" : "primary" }, label);
  return open(title, (close, dialog) => {
    const cancel = button("Cancel", () => close());
    const refresh = () => {
      const busy = isBusy(dialog);
      cancel.disabled = busy;
      submit.disabled = busy || !ready(new FormData(form));
      submit.classList.toggle("busy", busy);
    };
    const form = element("form", {
      novalidate: true,
      submit: async (event) => {
        event.preventDefault();
        faults.replaceChildren();
        const data = new FormData(form);
        const wrong = check(data);
        showFaults(form, wrong);
        if (Object.keys(wrong).length) return;
        dialog.setAttribute("aria-busy", "true");
        refresh();
        try {
          close(await act(data));
        } catch (error) {
          dialog.removeAttribute("aria-busy");
          refresh();
          if (!dialog.isConnected) return tell(sentencesOf(error).join(" "));
          const fields = fieldsOf(error);
          const elsewhere = Object.keys(fields).length ? showFaults(form, fields) : sentencesOf(error);
          if (elsewhere.length) faults.replaceChildren(alertBox(elsewhere));
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
    ready: (data) => data.get("confirmation") === text,
    body: [
      element("p", {}, consequences),
      field(["Type ", element("strong", {}, text), " to confirm"], "confirmation", { autocapitalize: "none" }),
    ],
  });
}

/** Show something, until the reader closes it. */
export function inform(title, ...content) {
  return open(title, (close) => [
    ...content, element("div", { class: "actions" }, button("Close", () => close(), { class: "primary" })),
  ]);
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

/**
 * Open a dialog; returns what it is closed with. Focus goes back to where it was.
 *
 * With `whenLeaving`, only the content closes the dialog: Escape and other ways to leave call it instead.
 */
export function open(title, content, { whenLeaving = null } = {}) {
  const before = document.activeElement;
  untell();
  return new Promise((resolve) => {
    const close = (value) => {
      dialog.close();
      dialog.remove();
      if (before?.isConnected) before.focus();
      // The view may have changed behind the dialog, and found the focus taken.
      if (document.activeElement === document.body) document.querySelector("#content h1")?.focus();
      resolve(value);
    };
    const isHeld = () => whenLeaving !== null || isBusy(dialog);
    const leave = (event) => {
      if (!isHeld()) return;
      event.preventDefault();
      whenLeaving?.();
    };
    const dialog = element("dialog", {
      // A secret can come up over a question, so no id is shared between them.
      "aria-label": title,
      "data-secret": whenLeaving !== null,
      cancel: leave,
      // Browsers let a second Escape close any dialog, unless the key itself is stopped.
      keydown: (event) => event.key === "Escape" && leave(event),
      // A phone's Back is no key, and closes any dialog when it is pressed twice.
      close: () => {
        if (!dialog.isConnected) return;
        if (!isHeld()) return close();
        dialog.showModal();
        whenLeaving?.();
      },
    }, element("div", { class: "dialog-head" }, element("h2", {}, title),
      button(icon("cross"), (event) => (isHeld() ? leave(event) : close()), {
        class: "icon-button", "aria-label": "Close dialog", title: "Close",
      })));
    dialog.append(...[content(close, dialog)].flat(Infinity).filter(Boolean),
      element("p", { role: "status", class: "toast" }));
    document.body.append(dialog);
    dialog.showModal();
    // The first field, not the button that closes the dialog.
    dialog.querySelector("form input:not([type=hidden]), form textarea, form select, .autofocus, .actions button")?.focus();
  });
}
