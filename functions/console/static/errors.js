// What went wrong, as sentences that say what to do.

const SENTENCES = {
  too_many_apps: "You have reached the limit of apps. Delete one that is no longer used, or ask the operator to raise the limit.",
  too_many_keys: "There are ten live keys already. Delete one that is no longer used, then try again.",
  account_suspended: "The operator has suspended your account. Ask the operator to resume it.",
  key_expired: "The key has expired, so a new secret would not work. Set a later expiry first, or create another key.",
  overlap_running:
    "The secret before this one is still accepted. End that overlap first, or rotate without an "
    + "overlap, which ends both old secrets.",
  changed_meanwhile: "Someone else changed this key just now. Look at it again, then repeat.",
  name_taken: "Another service account has this name. Choose another one.",
  owns_apps: "This service account still has apps. Delete its apps first.",
};

const BY_STATUS = {
  403: "The key that you signed in with does not reach this. Sign in with a user account's key "
    + "(act_…) that is not limited to permissions. If that does not help, the operator of the API can "
    + "add management to the stack's parameter AccessMapRoutes.",
  404: "It is no longer there: someone may have deleted it. Go back to the list.",
  413: "That is more than the API takes. Send less.",
  429: "The API is being asked too often. Wait a moment, then try again.",
};

/** An answer of the API that is not what was asked for. `sentences` are for the reader. */
export class ApiError extends Error {
  constructor(status, sentences) {
    super(sentences.join(" "));
    this.status = status;
    this.sentences = sentences;
  }
}

/** Return the error that an answer tells of, in the shapes of v2 and v1.1. */
export function errorOf(status, body) {
  const faults = body?.errors ?? (body?.error ? [body.error] : []);
  const known = faults.map((fault) => SENTENCES[fault.code]).filter(Boolean);
  if (known.length) return new ApiError(status, known);
  if (BY_STATUS[status]) return new ApiError(status, [BY_STATUS[status]]);
  const told = faults.map((fault) => sentence(fault.title ?? fault.description ?? fault.code));
  if (status === 400 && told.length) return new ApiError(status, told);
  return new ApiError(status, [
    `The API could not do it now (status ${status}). Nothing was changed, or all of it: look at the `
    + "list before you try again.",
  ]);
}

/** Return what to tell of any error. */
export function sentencesOf(error) {
  if (error instanceof ApiError) return error.sentences;
  if (error instanceof TypeError)
    return ["The API cannot be reached. Check the connection, then try again."];
  return ["The page failed at this. Reload it, sign in and try again."];
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
