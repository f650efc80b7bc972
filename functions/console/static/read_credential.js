// What a credential contains. Nothing is verified here, and no secret is shown.

import { keyIdOf, WRONG_FORM } from "./signing.js";

const TIMES = { exp: "Expires (exp)", nbf: "Valid from (nbf)", iat: "Issued (iat)" };

/** Return the kind of a credential, its facts as pairs, and what is visibly wrong with it. */
export function readCredential(value) {
  const [scheme, ...rest] = value.trim().split(/ +/);
  if (!scheme) return { kind: "", facts: [], faults: [] };
  switch (scheme.toLowerCase()) {
    case "basic":
      return readBasic(rest.join(" "));
    case "bearer":
      return readBearer(rest.join(" "));
    default:
      return { kind: "Unknown", facts: [], faults: ["The value starts with neither Basic nor Bearer."] };
  }
}

function readBasic(encoded) {
  const kind = "Basic";
  let text;
  try {
    text = utf8(atob(encoded));
  } catch {
    return { kind, facts: [], faults: ["The value after Basic is not base64 of key ID, colon and secret."] };
  }
  const colon = text.indexOf(":");
  if (colon < 0) return { kind, facts: [], faults: ["There is no colon between the key ID and the secret."] };
  const keyId = text.slice(0, colon);
  const named = keyIdOf(text.slice(colon + 1));
  const facts = [["Key ID", keyId], ["Secret", named ? "Well-formed" : "Malformed"]];
  if (named === null) return { kind, facts, faults: [WRONG_FORM] };
  const faults = named === keyId ? [] : [`The secret belongs to another key, ${named}.`];
  return { kind, facts, faults };
}

function readBearer(text) {
  return text.startsWith("ks_") ? readSecret(text) : readToken(text);
}

function readSecret(text) {
  const kind = "Bearer secret";
  const named = keyIdOf(text);
  if (named === null) return { kind, facts: [["Secret", "Malformed"]], faults: [WRONG_FORM] };
  return { kind, facts: [["Key ID", named], ["Secret", "Well-formed"]], faults: [] };
}

function readToken(text) {
  const kind = "JWT";
  const segments = text.split(".");
  let header;
  let claims;
  try {
    [header, claims] = segments.slice(0, 2).map((segment) => JSON.parse(utf8(decoded(segment))));
  } catch {
    return { kind, facts: [], faults: ["The value after Bearer is neither a secret (ks_…) nor a JWT."] };
  }
  const faults = [];
  if (segments.length !== 3 || !segments[2]) faults.push("The token has no signature.");
  if (header?.alg !== "HS256") faults.push("The algorithm (alg) must be HS256.");
  if (typeof header?.kid !== "string") faults.push("The header has no key ID (kid).");
  if (claims?.scope === undefined) faults.push("The token has no scope claim.");
  if (claims?.exp <= Date.now() / 1000) faults.push("The token has expired, by this computer's clock.");
  const times = Object.entries(TIMES).filter(([name]) => Number.isInteger(claims?.[name]));
  return {
    kind,
    facts: [
      ["Key ID", String(header?.kid ?? "None")],
      ["Scope", String(claims?.scope ?? "None")],
      ...["userId", "external_id"].filter((name) => claims?.[name] !== undefined)
        .map((name) => ["User ID", String(claims[name])]),
      ...times.map(([name, label]) => [label, moment(claims[name])]),
    ],
    faults,
  };
}

function moment(seconds) {
  const then = new Date(seconds * 1000);
  return Number.isNaN(then.valueOf()) ? "out of range" : then.toISOString().replace(".000", "");
}

function decoded(segment) {
  return atob(segment.replaceAll("-", "+").replaceAll("_", "/"));
}

function utf8(binary) {
  const octets = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true }).decode(octets);
}
