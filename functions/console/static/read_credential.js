// What a credential says of itself. Nothing of it is proven here, and no secret is shown.

import { keyIdOf, WRONG_FORM } from "./secret.js";

const TIMES = { exp: "Ends (exp)", nbf: "Begins (nbf)", iat: "Made (iat)" };

/** Return its kind, its facts as pairs, and what is wrong with it by its looks. */
export function readCredential(value) {
  const [scheme, ...rest] = value.trim().split(/ +/);
  if (!scheme) return { kind: "", facts: [], faults: [] };
  switch (scheme.toLowerCase()) {
    case "basic":
      return readBasic(rest.join(" "));
    case "bearer":
      return readBearer(rest.join(" "));
    default:
      return { kind: "Unknown", facts: [], faults: ["It begins with neither Basic nor Bearer."] };
  }
}

function readBasic(encoded) {
  const kind = "Basic";
  let text;
  try {
    text = utf8(atob(encoded));
  } catch {
    return { kind, facts: [], faults: ["It is not base64 of keyid:secret in UTF-8."] };
  }
  const colon = text.indexOf(":");
  if (colon < 0) return { kind, facts: [], faults: ["It has no colon between key id and secret."] };
  const keyId = text.slice(0, colon);
  const named = keyIdOf(text.slice(colon + 1));
  const facts = [["Key id", keyId], ["Secret", named ? "has the right form" : "malformed"]];
  if (named === null) return { kind, facts, faults: [WRONG_FORM] };
  const faults = named === keyId ? [] : [`The secret is that of another key, ${named}.`];
  return { kind, facts, faults };
}

function readBearer(text) {
  return text.startsWith("ks_") ? readSecret(text) : readToken(text);
}

function readSecret(text) {
  const kind = "Bearer secret";
  const named = keyIdOf(text);
  if (named === null) return { kind, facts: [["Secret", "malformed"]], faults: [WRONG_FORM] };
  return { kind, facts: [["Key id", named], ["Secret", "has the right form"]], faults: [] };
}

function readToken(text) {
  const kind = "JWT";
  const segments = text.split(".");
  let header;
  let claims;
  try {
    [header, claims] = segments.slice(0, 2).map((segment) => JSON.parse(utf8(decoded(segment))));
  } catch {
    return { kind, facts: [], faults: ["It is not a JWT of three segments with JSON in two of them."] };
  }
  const faults = [];
  if (segments.length !== 3 || !segments[2]) faults.push("It has no signature.");
  if (header?.alg !== "HS256") faults.push("Its algorithm (alg) must be HS256.");
  if (typeof header?.kid !== "string") faults.push("Its header lacks the key's id (kid).");
  if (claims?.scope === undefined) faults.push("It claims no scope.");
  if (claims?.exp <= Date.now() / 1000) faults.push("It has expired, by this computer's clock.");
  const times = Object.entries(TIMES).filter(([name]) => Number.isInteger(claims?.[name]));
  return {
    kind,
    facts: [
      ["Key id", String(header?.kid ?? "none")],
      ["Scope", String(claims?.scope ?? "none")],
      ...["userId", "external_id"].filter((name) => claims?.[name] !== undefined)
        .map((name) => ["User id", String(claims[name])]),
      ...times.map(([name, label]) => [label, moment(claims[name])]),
    ],
    faults,
  };
}

function moment(seconds) {
  const then = new Date(seconds * 1000);
  return Number.isNaN(then.valueOf()) ? "beyond the calendar" : then.toISOString().replace(".000", "");
}

function decoded(segment) {
  return atob(segment.replaceAll("-", "+").replaceAll("_", "/"));
}

function utf8(binary) {
  const octets = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true }).decode(octets);
}
