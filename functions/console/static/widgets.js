// Tabs, menus and tables (WAI-ARIA Authoring Practices).

import { button, element, icon } from "./dom.js";

const SKELETON_ROWS = 5;
let made = 0;

/**
 * Return tabs: arrows move, and one tab is in the tab order. Each has a name and a function that
 * returns its content when it is first opened.
 */
export function tabs(label, named, { selected = 0, whenSelected = () => {} } = {}) {
  const id = `tabs-${made++}`;
  const panel = element("div", { role: "tabpanel", id, tabindex: "0" });
  const contents = new Map();
  const buttons = named.map(([name], index) => element("button", {
    type: "button", role: "tab", id: `${id}-${index}`, "aria-controls": id,
    click: () => choose(index),
    keydown: (event) => {
      const target = moved(event, index, named.length, ["ArrowLeft", "ArrowRight"]);
      if (target !== null) choose(target).focus();
    },
  }, name));

  function choose(index) {
    select(index);
    whenSelected(index);
    return buttons[index];
  }

  function select(index) {
    buttons.forEach((each, place) => {
      each.setAttribute("aria-selected", String(place === index));
      each.tabIndex = place === index ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `${id}-${index}`);
    if (!contents.has(index)) contents.set(index, [named[index][1]()].flat());
    panel.replaceChildren(...contents.get(index));
  }

  select(selected);
  return [element("div", { role: "tablist", "aria-label": label }, buttons), panel];
}

/**
 * Return a button that opens a menu of actions, each with a label, what it does and whether it
 * destroys something. The browser closes it on Escape and on a click elsewhere.
 */
export function menu(label, actions) {
  const id = `menu-${made++}`;
  const items = actions.map(({ name, act, dangerous = false }, index) => button(name, () => {
    list.hidePopover();
    opener.focus();
    act();
  }, {
    role: "menuitem", tabindex: "-1", class: dangerous ? "dangerous" : "",
    keydown: (event) => {
      if (event.key === "Tab") list.hidePopover();
      const target = moved(event, index, actions.length, ["ArrowUp", "ArrowDown"]);
      if (target !== null) items[target].focus();
    },
  }));
  const list = element("div", {
    id, role: "menu", "aria-label": label, popover: "auto", class: "menu",
    toggle: (event) => {
      const isOpen = event.newState === "open";
      opener.setAttribute("aria-expanded", String(isOpen));
      if (isOpen) place();
      else if (document.activeElement === document.body) opener.focus();
    },
  }, items);
  const open = (index) => {
    list.showPopover();
    place();
    items.at(index).focus();
  };
  const opener = button(icon("more"), () => open(0), {
    class: "icon-button", "aria-label": label, "aria-haspopup": "menu", "aria-expanded": "false",
    "aria-controls": id,
    keydown: (event) => {
      const index = { ArrowDown: 0, ArrowUp: -1 }[event.key];
      if (index === undefined) return;
      event.preventDefault();
      open(index);
    },
  });

  /** Put the list below its button, or above it where there is no room. */
  function place() {
    const by = opener.getBoundingClientRect();
    const { width, height } = list.getBoundingClientRect();
    const below = by.bottom + 4;
    const top = below + height > innerHeight ? Math.max(4, by.top - height - 4) : below;
    list.style.top = `${top}px`;
    list.style.left = `${Math.max(4, by.right - width)}px`;
  }

  return element("span", { class: "with-menu" }, opener, list);
}

/** Return the place that a key moves to from one of several, or null. */
function moved(event, index, count, [back, forth]) {
  const target = {
    [back]: (index + count - 1) % count, [forth]: (index + 1) % count, Home: 0, End: count - 1,
  }[event.key];
  if (target === undefined) return null;
  event.preventDefault();
  return target;
}

/**
 * Return a table that becomes a list of cards where it is narrow. A column has a label, a function
 * that returns a row's cell, and a class; the first one names the row. `idOf` returns a row's id.
 */
export function table(label, columns, rows, idOf) {
  return framed(label, columns, rows.map((row) => element("tr", { role: "row", "data-row": idOf(row) },
    columns.map(({ label: name, cell, look = "" }, index) => element(index ? "td" : "th", {
      role: index ? "cell" : "rowheader", scope: index ? null : "row", class: look, "data-label": name,
    }, cell(row))))));
}

/** Return a table whose rows are still to come, as high as they will be. */
export function skeleton(label, columns) {
  const rows = Array.from({ length: SKELETON_ROWS }, () => element("tr", { role: "row" },
    columns.map(({ look = "" }, index) => element(index ? "td" : "th", { role: "cell", class: look },
      element("span", { class: "skeleton" })))));
  const made = framed(label, columns, rows);
  made.setAttribute("aria-busy", "true");
  return made;
}

function framed(label, columns, rows) {
  return element("div", { class: "table" }, element("table", { role: "table", "aria-label": label },
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
      columns.map(({ label: name, look = "", silent = false }) => element("th", {
        role: "columnheader", scope: "col", class: look,
      }, silent ? element("span", { class: "spoken" }, name) : name)))),
    element("tbody", { role: "rowgroup" }, rows)));
}

/** Replace what is in a place, and keep the focus on the same part of the same row. */
export function replaceRows(place, ...nodes) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("[data-row]");
  const index = row ? focusable(row).indexOf(focused) : -1;
  place.replaceChildren(...nodes.flat());
  if (!focused) return;
  const same = row && place.querySelector(`[data-row="${CSS.escape(row.dataset.row)}"]`);
  const target = same && focusable(same).at(index);
  (target ?? document.querySelector("#content h1"))?.focus();
}

function focusable(row) {
  return [...row.querySelectorAll("a, button:not([role=menuitem])")];
}
