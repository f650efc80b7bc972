// The format of a key's secret, which names its key by its position: key ids contain "_".

const SECRET = /^ks_((?:app|int|act|svc)_[0-9a-f]{24})_[0-9A-Za-z]{49}$/;

export const WRONG_FORM = "A secret is ks_, the key ID, _ and 49 more characters. Copy all of it.";

/** Return the id of the key that a secret names, or null for any other text. */
export function keyIdOf(secret) {
  return SECRET.exec(secret)?.[1] ?? null;
}
