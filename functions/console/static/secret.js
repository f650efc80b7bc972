// The format of a key's secret, which names its key by its position: key ids contain "_".

const SECRET = /^ks_((?:app|int|act|svc)_[0-9a-f]{24})_[0-9A-Za-z]{49}$/;

export const WRONG_FORM = "The secret is ks_, the key id, _ and 49 more characters. Copy it whole.";

/** Return the id of the key that a secret names, or null for any other text. */
export function keyIdOf(secret) {
  return SECRET.exec(secret)?.[1] ?? null;
}
