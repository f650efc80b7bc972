// A list of all that an account has: loaded in pages, then searched, sorted and paged here.
//
// The API orders apps by id, which means nothing to a reader, so the page loads them all. An
// account may have more than is good for a browser: the rest waits until it is asked for.

import { alertBox, button, element, spoken } from "./dom.js";
import { sentencesOf } from "./errors.js";
import { replaceRows, skeleton, table } from "./widgets.js";

const SHOWN = 25;
const LOADED_AT_ONCE = 2000;

/**
 * Return a list.
 *
 * `pages` is an async generator of arrays of rows. `words` has the name of one row and of several,
 * `sorts` names and comparisons. `texts` returns what is searched of a row, `empty` what is shown
 * if there are none, and `find` looks up an id that was not loaded.
 */
export function list({ pages, words: [one, many], columns, sorts, texts, empty, find = null }) {
  const search = element("input", {
    type: "search", id: "search", autocomplete: "off", spellcheck: "false",
    placeholder: "Name or ID", "aria-keyshortcuts": "/", input: () => { page = 0; render(); },
  });
  const order = element("select", { id: "sort", change: () => { page = 0; render(); } },
    sorts.map(([name], index) => element("option", { value: index }, name)));
  const count = element("p", { class: "count", role: "status" });
  const results = element("div");
  const toolbar = element("div", { class: "toolbar" },
    element("div", { class: "search" }, element("label", { for: "search", class: "spoken" }, "Search"), search,
      element("kbd", { "aria-hidden": "true" }, "/")),
    element("label", { class: "sort" }, "Sort ", order), count);
  const rows = new Map();
  let page = 0;
  let source = pages();
  let state = "loading";
  let failure = [];

  async function load() {
    state = "loading";
    failure = [];
    const most = rows.size + LOADED_AT_ONCE;
    render();
    try {
      while (state === "loading") {
        const { value, done } = await source.next();
        const isFirst = rows.size === 0;
        for (const row of value ?? []) rows.set(row.id, row);
        if (done) state = "complete";
        else if (rows.size >= most) state = "waiting";
        // Rows that move while one reads them are worse than rows that are sorted once.
        if (isFirst || state !== "loading") render();
        else tellCount(chosen().length);
      }
    } catch (error) {
      state = "failed";
      failure = sentencesOf(error);
      // A generator that failed is over. What was loaded stays.
      source = pages();
      render();
    }
  }

  function chosen() {
    const wanted = search.value.trim().toLowerCase();
    const all = [...rows.values()];
    if (!wanted) return all;
    return all.filter((row) => texts(row).some((text) => text?.toLowerCase().includes(wanted)));
  }

  function tellCount(found) {
    const all = `${rows.size.toLocaleString("en-US")}${state === "complete" ? "" : "+"} ${rows.size === 1 ? one : many}`;
    const text = state === "loading" && !rows.size ? "Loading…"
      : search.value.trim() ? `${found.toLocaleString("en-US")} of ${all}` : all;
    if (count.textContent !== text) count.textContent = text;
    results.toggleAttribute("aria-busy", state === "loading");
  }

  function render() {
    const found = chosen().sort(sorts[order.value][1]);
    tellCount(found.length);
    toolbar.hidden = state === "complete" && rows.size === 0 || state === "failed" && rows.size === 0;
    const problem = state === "failed" ? alertBox(failure, load) : "";
    if (!rows.size) {
      replaceRows(results, state === "loading" ? skeleton(many, columns)
        : state === "failed" ? problem : empty());
      return;
    }
    page = Math.min(page, Math.max(0, Math.ceil(found.length / SHOWN) - 1));
    const shown = found.slice(page * SHOWN, (page + 1) * SHOWN);
    replaceRows(results, problem, shown.length ? table(many, columns, shown, (row) => row.id) : none(),
      state === "waiting" ? rest() : "", found.length > SHOWN ? pager(found.length, shown.length) : "");
  }

  function none() {
    const wanted = search.value.trim();
    const looked = element("p", { class: "none" }, `No ${one} matches “${wanted}”. `,
      button("Clear search", () => { search.value = ""; search.focus(); render(); }, { class: "link" }));
    if (find && state !== "complete") find(wanted).then((row) => {
      if (row && search.value.trim() === wanted) { rows.set(row.id, row); render(); }
    }, (error) => looked.replaceWith(alertBox(sentencesOf(error), render)));
    return looked;
  }

  function rest() {
    return element("p", { class: "none" },
      `Search and sort cover the first ${rows.size.toLocaleString("en-US")} ${many}. `,
      button("Load more", load, { class: "link" }));
  }

  function pager(total, shown) {
    const go = (to) => { page = to; render(); results.querySelector("a")?.focus(); };
    const first = page * SHOWN + 1;
    return element("nav", { class: "pager", "aria-label": "Pages" },
      element("span", {}, spoken("Showing "), `${first}–${first + shown - 1} of ${total.toLocaleString("en-US")}`),
      button("Previous", () => go(page - 1), { disabled: page === 0 }),
      button("Next", () => go(page + 1), { disabled: first + shown > total }));
  }

  load();
  return [toolbar, results];
}

/** Compare by a text, as people sort names. */
export function byText(textOf) {
  const { compare } = new Intl.Collator("en-US", { numeric: true, sensitivity: "base" });
  return (one, other) => compare(textOf(one), textOf(other));
}
