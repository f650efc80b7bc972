// Runs one Node.js function in a process of its own, as `function_process` starts it:
//
//     node node_worker.mjs REQUESTS ANSWERS HANDLER
//
// The first two are file descriptors, for a line of JSON each way. The folder with the code is the
// working directory.

import { existsSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [requests, answers, handlerName] = process.argv.slice(2);

function tell(message) {
  let rest = Buffer.from(`${JSON.stringify(message)}\n`);
  while (rest.length > 0) rest = rest.subarray(writeSync(Number(answers), rest));
}

function failure(error) {
  console.error(error);
  const isError = error instanceof Error;
  return {
    error: {
      type: isError ? error.name : typeof error,
      message: isError ? error.message : String(error),
    },
  };
}

// As Lambda finds it: up to the first dot of the file's name is the module, the rest is its export.
async function load(name) {
  const [, moduleName, exportPath] = /^([^.]*)\.(.+)$/.exec(basename(name)) ?? [];
  const stem = join(dirname(name), moduleName ?? name);
  const file = ["", ".js", ".mjs", ".cjs"].map((end) => stem + end).find((each) => existsSync(each));
  if (moduleName === undefined || file === undefined) {
    throw new Error(`there is no ${stem}.js, ${stem}.mjs or ${stem}.cjs for the handler ${name}`);
  }
  const loaded = await import(pathToFileURL(resolve(file)));
  const find = (from) => exportPath.split(".").reduce((found, key) => found?.[key], from);
  // Not every export of a CommonJS module is known by its name.
  const handler = find(loaded) ?? find(loaded.default);
  if (typeof handler !== "function") throw new Error(`${file} exports no function ${exportPath}`);
  return handler;
}

function contextOf({ timeoutSeconds, ...members }) {
  const endsAt = Date.now() + timeoutSeconds * 1000;
  return {
    ...members,
    memoryLimitInMB: String(members.memoryLimitInMB),
    functionVersion: "$LATEST",
    logGroupName: `/aws/lambda/${members.functionName}`,
    logStreamName: "local",
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, endsAt - Date.now()),
  };
}

function invoke(handler, event, context) {
  return new Promise((succeed, fail) => {
    const callback = (error, answer) => (error == null ? succeed(answer) : fail(error));
    const returned = handler(event, context, callback);
    if (typeof returned?.then === "function") returned.then(succeed, fail);
    // What a handler returns that is neither async nor calls back is lost on Lambda, too.
    else if (handler.length < 3) succeed(null);
  });
}

async function answer(handler, { event, context }) {
  try {
    const answered = await invoke(handler, event, contextOf(context));
    return { answer: JSON.parse(JSON.stringify(answered ?? null)) };
  } catch (error) {
    return failure(error);
  }
}

let handler;
try {
  handler = await load(handlerName);
} catch (error) {
  tell(failure(error));
  process.exit(1);
}
tell({ loaded: true });
// A file stream would wait for the next line in a thread that process.exit() waits for.
const lines = createInterface({ input: new Socket({ fd: Number(requests), writable: false }) });
for await (const line of lines) {
  tell(await answer(handler, JSON.parse(line)));
}
process.exit(0);
