// An IAM policy as a tree of paths, with the resource that decided.

import { badge, element } from "./dom.js";
import { countdown, exactMoment } from "./times.js";

// arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH, or API/PATTERN for any stage.
const ANY_PATH = /^[^/]*\/(\*.+)$/s;
const RESOURCE = /^[^/]*\/[^/]*\/([^/]+)\/?(.*)$/s;

/** Return a policy's statements, with the statement and the resource that decided. */
export function policyTree(evaluation) {
  return element("div", {}, evaluation.document.Statement.map((statement, index) => {
    const decided = evaluation.statement === index;
    return element("div", { class: "statement" },
      element("h3", {}, `Statement ${index}: ${statement.Effect}`,
        decided ? [" ", badge("Decided", statement.Effect === "Allow" ? "good" : "bad")] : ""),
      conditions(statement.Condition ?? {}),
      likeAnyOf(statement.Resource),
      branch(treeOf(statement.Resource, decided ? evaluation.resource : null)));
  }));
}

function conditions(condition) {
  const ends = condition.DateLessThan?.["aws:CurrentTime"];
  const from = condition.IpAddress?.["aws:SourceIp"] ?? condition.IpAddress?.["aws:VpcSourceIp"];
  return [
    ends ? element("p", {}, "Only until ", exactMoment(ends), " (", countdown(ends, () => {}), ").") : "",
    from ? element("p", {}, `Only from ${[from].flat().join(", ")}.`) : "",
  ];
}

/** Return the patterns for any stage: what paths may look like that a backend could misread. */
function likeAnyOf(resources) {
  const patterns = resources.map((resource) => ANY_PATH.exec(resource)?.[1]).filter(Boolean);
  if (!patterns.length) return "";
  return element("p", { class: "patterns" }, "Any path like ",
    patterns.map((pattern) => [element("code", {}, visible(pattern)), " "]));
}

/** Return a pattern with its control characters as JSON writes them. */
function visible(pattern) {
  return pattern.replace(/[\u0000-\u001f]/g, (found) => JSON.stringify(found).slice(1, -1));
}

/** Return nested maps of path segments; a path's end holds its methods. */
function treeOf(resources, decided) {
  const root = { children: new Map(), methods: [] };
  for (const resource of resources.filter((each) => !ANY_PATH.test(each))) {
    const [, method, path] = RESOURCE.exec(resource);
    let node = root;
    for (const segment of path.split("/").filter(Boolean)) {
      if (!node.children.has(segment)) node.children.set(segment, { children: new Map(), methods: [] });
      node = node.children.get(segment);
    }
    // Of API Gateway's methods, this pattern matches GET and PUT.
    const methods = method === "??T" ? ["GET", "PUT"] : [method];
    node.methods.push(...methods.map((name) => ({ method: name, decided: resource === decided })));
  }
  return root;
}

function branch(node) {
  return element("ul", { class: "tree" }, [...node.children].map(([segment, child]) => {
    let [shown, end] = [segment, child];
    while (end.children.size === 1 && !end.methods.length) {
      const [[next, only]] = end.children;
      [shown, end] = [`${shown}/${next}`, only];
    }
    return element("li", {}, element("code", {}, `/${shown}`),
      end.methods.map(({ method, decided }) =>
        element("span", { class: decided ? "method decided" : "method" }, method)),
      end.children.size ? branch(end) : "");
  }));
}
