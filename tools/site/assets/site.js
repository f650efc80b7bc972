const root = document.documentElement;

function isDark() {
  if (root.dataset.theme) return root.dataset.theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

const menu = document.getElementById("menu");
menu.addEventListener("click", () => {
  const open = document.getElementById("nav").classList.toggle("open");
  menu.setAttribute("aria-expanded", String(open));
});

for (const pre of document.querySelectorAll("pre")) {
  const block = document.createElement("div");
  block.className = "block";
  pre.replaceWith(block);
  pre.tabIndex = 0;
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "copy";
  copy.textContent = "Copy";
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(pre.textContent.trimEnd());
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  block.append(pre, copy);
}

for (const table of document.querySelectorAll("main table")) {
  const frame = document.createElement("div");
  frame.className = "table";
  table.replaceWith(frame);
  frame.append(table);
}

const form = document.getElementById("search");
const query = document.getElementById("mkdocs-search-query");
const results = document.getElementById("mkdocs-search-results");
function showResults() {
  results.hidden = query.value.trim().length === 0;
  if (results.hidden || results.querySelector("article, p")) return;
  // MkDocs listens only once its index is ready, so repeat the key until it answers.
  results.textContent = "Searching…";
  query.dispatchEvent(new Event("keyup"));
  setTimeout(showResults, 200);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  results.querySelector("a")?.click();
});
query.addEventListener("input", showResults);
query.addEventListener("focus", showResults);
document.addEventListener("click", (event) => {
  if (!form.contains(event.target)) results.hidden = true;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    results.hidden = true;
    query.blur();
  } else if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
    event.preventDefault();
    query.focus();
  }
});
