// Times as people read them. The API has RFC 3339 in UTC.

const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** Return a `time` element. */
export function moment(text) {
  const made = document.createElement("time");
  made.dateTime = text;
  made.title = text;
  made.textContent = MOMENT.format(new Date(text));
  return made;
}

/** Return how long it is until then, as in "1 day 3 hours", by its two largest units. */
export function remaining(until, now = Date.now()) {
  let seconds = Math.max(0, Math.ceil((new Date(until) - now) / 1000));
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count) parts.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
  }
  return parts.slice(0, 2).join(" ") || "0 seconds";
}

/** Return an element that counts down to a time, for as long as it is on the page. */
export function countdown(until, whenOver) {
  const made = document.createElement("time");
  made.dateTime = until;
  made.setAttribute("role", "timer");
  const tick = () => {
    made.textContent = remaining(until);
    if (new Date(until) > Date.now()) return;
    clearInterval(timer);
    if (made.isConnected) whenOver();
  };
  const timer = setInterval(() => (made.isConnected ? tick() : clearInterval(timer)), 1000);
  made.textContent = remaining(until);
  return made;
}

/** Return the value of a `datetime-local` field, the reader's own time, as RFC 3339 in UTC. */
export function fromLocal(value) {
  return value ? `${new Date(value).toISOString().slice(0, 19)}Z` : null;
}

/** Return an RFC 3339 time as the value of a `datetime-local` field. */
export function toLocal(text) {
  if (!text) return "";
  const then = new Date(text);
  return new Date(then - then.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
