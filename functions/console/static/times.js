// Times as people read them. The API has RFC 3339 in UTC.

import { element, spoken } from "./dom.js";

const EXACT = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric" });
const DAY_AND_YEAR = new Intl.DateTimeFormat("en-US", { dateStyle: "medium" });
const UNITS = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const WEEK_SECONDS = 7 * 86400;
const MONTH_SECONDS = 30 * 86400;

/** Return a `time` element that is short to read; the exact time is on hover, and is spoken. */
export function moment(text, shown = relative(text)) {
  const exact = EXACT.format(new Date(text));
  return element("time", { datetime: text, title: exact },
    shown === exact ? exact : [element("span", { "aria-hidden": "true" }, shown), spoken(exact)]);
}

/** Return a `time` element with the exact time. */
export function exactMoment(text) {
  return moment(text, EXACT.format(new Date(text)));
}

/** Return a time without its distance, as in "Dec 28, 2026, 11:45 PM". */
export function exact(text) {
  return EXACT.format(new Date(text));
}

/** Return a time by its distance if it is near, and as a date if it is not. */
export function relative(text, now = Date.now()) {
  const then = new Date(text);
  const seconds = Math.round((then - now) / 1000);
  const distance = Math.abs(seconds);
  if (distance < 60) return seconds > 0 ? "in under a minute" : "just now";
  if (distance < (seconds > 0 ? MONTH_SECONDS : WEEK_SECONDS)) {
    const [unit, size] = UNITS.find(([, each]) => distance >= each);
    const count = Math.floor(distance / size);
    const shown = counted(count, unit);
    return seconds > 0 ? `in ${shown}` : `${shown} ago`;
  }
  const sameYear = then.getFullYear() === new Date(now).getFullYear();
  return (sameYear ? DAY : DAY_AND_YEAR).format(then);
}

/** Return how long it is until then, as in "1 day 3 h", by its two largest units. */
export function remaining(until, now = Date.now()) {
  let seconds = Math.max(0, Math.ceil((new Date(until) - now) / 1000));
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count) parts.push(counted(count, unit));
  }
  return parts.slice(0, 2).join(" ") || counted(0, "s");
}

function counted(count, unit) {
  return `${count} ${unit === "day" && count !== 1 ? "days" : unit}`;
}

/** Return an element that counts down to a time, for as long as it is on the page. */
export function countdown(until, whenOver) {
  const made = element("time", { datetime: until, role: "timer", title: EXACT.format(new Date(until)) });
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

/** Return a time some days from now, in whole seconds, as RFC 3339 in UTC. */
export function inDays(days, now = Date.now()) {
  return rfc3339(new Date(now + days * 86400000));
}

/** Return the value of a `datetime-local` field, the reader's own time, as RFC 3339 in UTC. */
export function fromLocal(value) {
  const then = new Date(value);
  return Number.isNaN(then.valueOf()) ? null : rfc3339(then);
}

/** Return an RFC 3339 time as the value of a `datetime-local` field. */
export function toLocal(text) {
  const then = new Date(text);
  return new Date(then - then.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function rfc3339(then) {
  return `${then.toISOString().slice(0, 19)}Z`;
}
