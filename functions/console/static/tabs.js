// Tabs (WAI-ARIA Authoring Practices, "Tabs Pattern"): arrows move, one tab is in the tab order.

import { element } from "./dom.js";

/** Return tabs. Each has a name and a function that makes its content when it is first opened. */
export function tabs(named) {
  const panel = element("div", { role: "tabpanel", id: "panel", tabindex: "0" });
  const made = new Map();
  const buttons = named.map(([name], index) => element("button", {
    type: "button", role: "tab", id: `tab-${index}`, "aria-controls": "panel",
    click: () => select(index),
    keydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      select((index + step + named.length) % named.length).focus();
    },
  }, name));

  function select(index) {
    buttons.forEach((each, place) => {
      each.setAttribute("aria-selected", String(place === index));
      each.tabIndex = place === index ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `tab-${index}`);
    if (!made.has(index)) made.set(index, named[index][1]());
    panel.replaceChildren(...made.get(index));
    return buttons[index];
  }

  select(0);
  return [element("div", { role: "tablist", "aria-label": "Parts" }, buttons), panel];
}
