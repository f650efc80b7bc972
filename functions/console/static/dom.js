// Elements, built without markup in strings: what an API answers can never become code.

/** Return an element. Attributes that are null or false are left out; functions are listeners. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== false));
  return made;
}

/** Put the view's nodes into the page's main part, and the reader's focus at its heading. */
export function show(title, ...nodes) {
  const content = document.getElementById("content");
  content.replaceChildren(...nodes.flat(Infinity).filter((node) => node !== null));
  document.title = `${title} · Keyscope console`;
  (content.querySelector("h1") ?? content).focus();
}

/** Return a view's first heading, which takes the focus when the view is shown. */
export function heading(text) {
  return element("h1", { tabindex: "-1" }, text);
}

/** Tell something in passing; screen readers say it without moving. */
export function tell(text) {
  // A dialog makes the rest of the page unreachable, for screen readers too.
  const inDialogs = document.querySelectorAll("dialog[open] [role=status]");
  const status = [...inDialogs].at(-1) ?? document.getElementById("status");
  status.textContent = text;
  clearTimeout(status.timer);
  status.timer = setTimeout(() => (status.textContent = ""), 6000);
}

/** Return a button. */
export function button(label, act, attributes = {}) {
  return element("button", { type: "button", ...attributes, click: act }, label);
}

/** Return a button that copies a text. `what` names the text, as in "the secret". */
export function copyButton(text, what) {
  return button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell(`Copied ${what}.`);
    } catch {
      tell(`The browser does not let the page copy. Select ${what} and copy it yourself.`);
    }
  }, { class: "quiet", "aria-label": `Copy ${what}` });
}

/** Return an id as it is shown everywhere: to read, to select and to copy. */
export function copyable(text, what) {
  return element("span", { class: "copyable" }, element("code", {}, text), copyButton(text, what));
}

/** Return a text field with its label, and a hint below it. */
export function field(label, name, attributes = {}, hint = "") {
  const { tag = "input", ...others } = attributes;
  const described = hint ? { "aria-describedby": `${name}-hint` } : {};
  return element("div", { class: "field" },
    element("label", { for: name }, label),
    element(tag, { id: name, name, autocomplete: "off", spellcheck: "false", ...described, ...others }),
    hint ? element("p", { id: `${name}-hint`, class: "hint" }, hint) : null);
}

/** Return a box that tells what went wrong and what to do. */
export function alertBox(sentences) {
  return element("div", { class: "alert", role: "alert" },
    sentences.map((sentence) => element("p", {}, sentence)));
}
