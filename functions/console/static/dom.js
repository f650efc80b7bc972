// Elements, built without markup in strings: what an API answers can never become code.

const SVG = "http://www.w3.org/2000/svg";
const TOAST_MILLISECONDS = 6000;
const COPIED_MILLISECONDS = 2000;
const TAIL = 6;

// Paths on a grid of 16, drawn with a stroke.
const ICONS = {
  apps: "M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 9.5h4v4h-4zM9.5 9.5h4v4h-4z",
  people: "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.5 2.8a2.5 2.5 0 0 1 0 4.4M12 9.8c1.6.6 2.5 1.9 2.5 3.7",
  lens: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3.5 3.5",
  menu: "M2 4h12M2 8h12M2 12h12",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5l3.5 3.5L13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  dash: "M4 8h8",
  download: "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M2.5 13.5h11",
  key: "M5.5 10.5a3 3 0 1 0 0-5 3 3 0 0 0 0 5zM8.5 8h6M12.5 8v2.5",
};

/** Return an element. Attributes that are null or false are left out; functions are listeners. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value);
  }
  made.append(...present(children));
  return made;
}

/** Return the children that exist, in one list. */
export function present(children) {
  return children.flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

/** Return an icon, which says nothing to screen readers. */
export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  made.setAttribute("viewBox", "0 0 16 16");
  made.setAttribute("aria-hidden", "true");
  made.classList.add("icon", `icon-${name}`);
  made.append(path);
  return made;
}

/** Put the view's nodes into the page's main part, and the focus on its heading. */
export function show(title, ...nodes) {
  const content = document.getElementById("content");
  content.replaceChildren(...present(nodes));
  document.title = `${title} · Keyscope console`;
  (content.querySelector("h1") ?? content).focus();
}

/** Return a view's first heading, which takes the focus when the view is shown. */
export function heading(text) {
  return element("h1", { tabindex: "-1" }, text);
}

/** Return text that only screen readers read. */
export function spoken(text) {
  return element("span", { class: "spoken" }, text);
}

/** Show a message for a few seconds; screen readers say it without moving. */
export function tell(text) {
  // A dialog makes the rest of the page unreachable, for screen readers too.
  const inDialogs = document.querySelectorAll("dialog[open] [role=status]");
  const status = [...inDialogs].at(-1) ?? document.getElementById("status");
  status.textContent = text;
  clearTimeout(status.timer);
  status.timer = setTimeout(() => (status.textContent = ""), TOAST_MILLISECONDS);
}

/** Remove the message of a view that the reader leaves. */
export function untell() {
  document.getElementById("status").textContent = "";
}

/** Return a button. */
export function button(label, act, attributes = {}) {
  return element("button", { type: "button", ...attributes, click: act }, label);
}

/** Return a button that copies a text. `what` names the text, as in "the secret". */
export function copyButton(text, what, { label = "", copied = () => {} } = {}) {
  const made = button(label ? [icon("copy"), label] : icon("copy"), async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      tell(`The browser blocked copying. Select ${what} and copy it yourself.`);
      return;
    }
    tell(`Copied ${what}.`);
    copied();
    mark(made);
  }, { class: label ? "" : "icon-button", "aria-label": `Copy ${what}`, title: `Copy ${what}` });
  return made;
}

function mark(copying) {
  const before = copying.querySelector("svg");
  const done = icon("check");
  before.replaceWith(done);
  setTimeout(() => done.replaceWith(before), COPIED_MILLISECONDS);
}

/** Return an id, which a narrow place shortens in the middle, with a button that copies it whole. */
export function copyable(text, what) {
  return element("span", { class: "copyable" }, shortened(text), copyButton(text, what));
}

/** Return a text as code, whose style can shorten it in the middle. */
export function shortened(text) {
  return element("code", { class: "shortened", title: text },
    element("span", { class: "head" }, text.slice(0, -TAIL)), text.slice(-TAIL));
}

/** Return text whose parts between backticks are code. */
export function rich(text) {
  return text.split("`").map((part, index) => index % 2 ? element("code", {}, part) : part);
}

/** Return a form field with its label, a hint and a place for its error, around a control. */
export function labeled(label, name, control, { hint = "", optional = false } = {}) {
  const described = [hint && `${name}-hint`, `${name}-error`].filter(Boolean).join(" ");
  control.setAttribute("aria-describedby", described);
  return element("div", { class: "field", "data-field": name },
    element("label", { for: name }, label, optional ? element("span", { class: "muted" }, " (optional)") : ""),
    control,
    errorPlace(name),
    hint ? element("p", { id: `${name}-hint`, class: "hint" }, hint) : null);
}

/** Return a text field with its label. */
export function field(label, name, attributes = {}, options = {}) {
  const { tag = "input", text = "", ...others } = attributes;
  const control = element(tag, { id: name, name, autocomplete: "off", spellcheck: "false", ...others }, text);
  return labeled(label, name, control, options);
}

/** Return where a field's error stands. */
export function errorPlace(name) {
  return element("p", { id: `${name}-error`, class: "error", role: "alert" });
}

/**
 * Put each error at its field, take all others away, and focus the first field that has one.
 *
 * Returns the errors of fields that the form does not have.
 */
export function showFaults(form, faults, { focus = true } = {}) {
  const places = [...form.querySelectorAll("[data-field]")];
  for (const place of places) {
    const fault = faults[place.dataset.field] ?? "";
    setFault(place, fault);
  }
  const first = places.find((place) => faults[place.dataset.field]);
  if (focus) first?.querySelector("input:not([type=radio]):not([hidden]), textarea, select, input")?.focus();
  const known = new Set(places.map((place) => place.dataset.field));
  return Object.entries(faults).filter(([name]) => !known.has(name)).map(([, fault]) => fault);
}

/** Set or clear one field's error. */
export function setFault(place, fault) {
  const shown = place.querySelector(".error");
  if (shown.textContent !== fault) shown.textContent = fault;
  place.classList.toggle("invalid", fault !== "");
  for (const control of place.querySelectorAll("input, textarea, select")) {
    if (fault) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
}

/** Return a box that says what went wrong, and offers to try again. */
export function alertBox(sentences, retry = null) {
  return element("div", { class: "alert", role: "alert" },
    sentences.map((sentence) => element("p", {}, rich(sentence))),
    retry ? element("div", { class: "actions" }, button("Try again", retry)) : null);
}

/** Return an empty state: what the place is for, and the first action. */
export function emptyState(title, sentence, ...actions) {
  return element("div", { class: "empty" },
    icon("key"), element("p", { class: "strong" }, title), element("p", {}, sentence),
    element("div", { class: "actions" }, actions));
}

/** Return a small label of a state. */
export function badge(text, look) {
  return element("span", { class: `badge ${look}` }, text);
}

/** Return names with their values. */
export function factList(facts) {
  return element("dl", { class: "facts" }, present(facts).map(({ name, value }) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}
