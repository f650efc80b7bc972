// Tokens signed in the browser (RFC 7515, HS256), so that the key's secret never leaves the page.

const LIFETIME_SECONDS = 300;
const RENEWED_SECONDS_BEFORE = 60;

// A secret names its key by its position: key ids contain "_".
const SECRET = /^ks_((?:app|int|act|svc)_[0-9a-f]{24})_[0-9A-Za-z]{49}$/;
const KEY_ID = /^(app|int|act|svc)_[0-9a-f]{24}$/;

export const WRONG_FORM = "A secret is ks_, the key ID, _ and 49 more characters. Copy all of it.";

/** Return the id of the key that a secret names, or null for any other text. */
export function keyIdOf(secret) {
  return SECRET.exec(secret)?.[1] ?? null;
}

/** Return what is wrong with a key id and a secret by their looks, by the fields' names. */
export function looksWrong(keyId, secret) {
  if (!secret) return { secret: "Enter the secret." };
  const named = keyIdOf(secret);
  if (!keyId) return { secret: WRONG_FORM };
  if (!KEY_ID.test(keyId))
    return { keyId: "A key ID is act_ or svc_, then 24 characters of 0-9 and a-f. Copy all of it." };
  if (keyId.startsWith("app_") || keyId.startsWith("int_"))
    return { keyId: "This is an app's key. Sign in with an account key (act_…) or a service account key (svc_…)." };
  if (named === null) return { secret: WRONG_FORM };
  if (named !== keyId) return { secret: `This secret belongs to another key, ${named}.` };
  return {};
}

/**
 * Return a signer of account-scope tokens.
 *
 * The secret goes into a WebCrypto key that no script can read again. `clock` returns the seconds
 * since the epoch by the API's clock.
 */
export async function makeSigner(keyId, secret, clock) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", octets(secret), algorithm, false, ["sign"]);
  let token = "";
  let endsAt = 0;
  return {
    keyId,
    isUserAccount: keyId.startsWith("act_"),
    async authorization() {
      const now = clock();
      if (now > endsAt - RENEWED_SECONDS_BEFORE) {
        endsAt = now + LIFETIME_SECONDS;
        const header = { alg: "HS256", typ: "JWT", kid: keyId };
        const signed = `${encoded(header)}.${encoded({ scope: "account", exp: endsAt })}`;
        const signature = await crypto.subtle.sign("HMAC", key, octets(signed));
        token = `${signed}.${base64url(new Uint8Array(signature))}`;
      }
      return `Bearer ${token}`;
    },
    renew() {
      endsAt = 0;
    },
  };
}

function encoded(value) {
  return base64url(octets(JSON.stringify(value)));
}

function octets(text) {
  return new TextEncoder().encode(text);
}

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
