// What went wrong, as sentences that say what to do, and at which field.

const SENTENCES = {
  too_many_apps: "You have reached the limit of apps. Delete an app that you no longer use, or ask the operator of this API to raise the limit.",
  too_many_keys: "There are 10 keys already. Delete one that you no longer use, then try again.",
  account_suspended: "The operator of this API has suspended your account. Ask the operator to resume it.",
  key_expired: "This key has expired, so a new secret would not work. Set a later expiration first, or create another key.",
  overlap_running:
    "The previous secret is still accepted. End that overlap first, or rotate with the overlap None, "
    + "which ends both earlier secrets.",
  changed_meanwhile: "Someone else changed this key at the same time. Check it, then try again.",
  owns_apps: "This service account still has apps. Delete its apps first.",
};
const NAME_TAKEN = "Another service account has this name. Choose another name.";

const BY_STATUS = {
  403: "The key that you signed in with does not reach this. Sign in with an account key (act_…) "
    + "that is not limited to permissions. If that does not help, ask the operator of this API.",
  404: "This no longer exists. Someone may have deleted it. Go back to the list.",
  413: "The request is too large. Send less.",
  429: "The API receives too many requests. Wait a moment, then try again.",
};

const LABELS = {
  displayName: "Name", name: "Name", expiresAt: "Expiration", allowedCidrs: "Allowed IP ranges",
  permissions: "Access", integrationId: "Integration ID", credential: "Credential", path: "Path",
  sourceAddress: "Source address", overlapSeconds: "Overlap",
};
const OF_A_FIELD = /^([a-zA-Z]+)(?:\[(\d+)\])? ((?:must|is|contains|has|in)\b.*)$/s;

/**
 * A response of the API that is not what was asked for.
 *
 * `sentences` are for the reader; `fields` has those that belong to a form's field, by its name.
 */
export class ApiError extends Error {
  constructor(status, sentences, fields = {}) {
    super(sentences.join(" "));
    this.status = status;
    this.sentences = sentences;
    this.fields = fields;
  }
}

/** Return the error in the response to a request, in the shapes of v2 and v1.1. */
export function errorOf(method, status, body) {
  const faults = body?.errors ?? (body?.error ? [body.error] : []);
  const known = faults.map((fault) => SENTENCES[fault.code]).filter(Boolean);
  if (known.length) return new ApiError(status, known);
  if (faults[0]?.code === "name_taken") return new ApiError(status, [NAME_TAKEN], { name: NAME_TAKEN });
  // v1.1 joins what v2 lists.
  const titles = faults.flatMap((fault) => fault.title ?? fault.description?.split("; ") ?? fault.code);
  const isOwnLimit = faults[0]?.code === "exceeds_own_limits";
  if ((status === 400 || isOwnLimit) && titles.length) {
    const fields = Object.fromEntries(titles.map(atField).filter(Boolean));
    return new ApiError(status, titles.map((title) => atField(title)?.[1] ?? sentence(title)), fields);
  }
  if (BY_STATUS[status]) return new ApiError(status, [BY_STATUS[status]]);
  return new ApiError(status, [`The API failed (status ${status}). ${method === "GET" ? "Try again in a moment."
    : "The change may or may not have been made. Check before you try again."}`]);
}

/** Return the sentences for any error. */
export function sentencesOf(error) {
  if (error instanceof ApiError) return error.sentences;
  if (error instanceof TypeError)
    return ["The API did not respond. Check your connection, then try again."];
  return ["The console failed. Reload the page and sign in again."];
}

/** Return the errors that belong to fields, by the fields' names. */
export function fieldsOf(error) {
  return error instanceof ApiError ? error.fields : {};
}

function atField(title) {
  const [, name, index, text] = OF_A_FIELD.exec(title) ?? [];
  if (!LABELS[name]) return null;
  return [name, sentence(index === undefined ? `${LABELS[name]} ${text}` : `Line ${Number(index) + 1} ${text}`)];
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
