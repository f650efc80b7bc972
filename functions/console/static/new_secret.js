// A new secret, this once: to copy, to download, and in commands that use it.

import { open } from "./dialogs.js";
import { button, copyButton, element, icon } from "./dom.js";
import { tabs } from "./widgets.js";

const NOT_SAVED = "You have not copied or downloaded the secret. Keyscope cannot show it again.";

/** Show a key's secret. `url` is an address that the key reaches. */
export function showSecret(key, { title, url }) {
  let saved = false;
  const keep = () => {
    saved = true;
    leaving.hidden = true;
  };
  const leaving = element("div", { class: "alert", role: "alert", hidden: true });
  const ask = (close) => {
    leaving.replaceChildren(element("p", {}, NOT_SAVED), element("div", { class: "actions" },
      button("Go back", () => { leaving.hidden = true; }),
      button("Close anyway", () => close(), { class: "danger" })));
    leaving.hidden = false;
    leaving.scrollIntoView({ block: "nearest" });
    leaving.querySelector("button").focus();
  };
  let close;
  const dismiss = () => (saved ? close() : ask(close));
  return open(title, (closeIt, dialog) => {
    close = closeIt;
    // Selecting the secret and copying it saves it as well.
    dialog.addEventListener("copy", keep);
    return [
      element("p", { class: "note warning" },
        "Save the secret now, where your software keeps its secrets. Keyscope cannot show it again."),
      element("dl", { class: "secret" },
        element("dt", {}, "Secret"),
        element("dd", {}, element("code", { class: "whole" }, key.secret),
          copyButton(key.secret, "the secret", { label: "Copy", copied: keep })),
        element("dt", {}, "Key ID"),
        element("dd", {}, element("code", { class: "whole" }, key.id), copyButton(key.id, "the key ID"))),
      element("h3", {}, "Call the API"),
      tabs("Examples", Object.entries(snippetsOf(key, url)).map(([name, text]) => [name, () =>
        element("div", { class: "snippet" },
          element("pre", {}, element("code", {}, text)),
          copyButton(text, `the ${name} example`, { copied: keep }))])),
      leaving,
      element("div", { class: "actions" },
        button([icon("download"), "Download .env"], () => {
          download(`${key.id}.env`, environmentOf(key, url));
          keep();
        }),
        button("Done", dismiss, { class: "primary" })),
    ];
  }, { whenLeaving: dismiss });
}

function environmentOf(key, url) {
  return `KEYSCOPE_URL=${url}\nKEYSCOPE_KEY_ID=${key.id}\nKEYSCOPE_SECRET=${key.secret}\n`;
}

/** Return examples, whose lines with the secret have room for it. */
function snippetsOf({ secret, ...key }, url) {
  return {
    curl: `SECRET='${secret}'\ncurl -H "Authorization: Bearer $SECRET" \\\n  "${url}"`,
    Python: [
      "import urllib.request", "",
      `secret = "${secret}"`,
      "request = urllib.request.Request(",
      `    "${url}",`,
      '    headers={"Authorization": f"Bearer {secret}"},',
      ")",
      "print(urllib.request.urlopen(request).read().decode())",
    ].join("\n"),
    JavaScript: [
      "const secret =",
      `  "${secret}";`,
      "const response = await fetch(",
      `  "${url}",`,
      "  { headers: { Authorization: `Bearer ${secret}` } },",
      ");",
      "console.log(response.status, await response.json());",
    ].join("\n"),
    ".env": environmentOf({ secret, ...key }, url).trimEnd(),
  };
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = element("a", { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}
