/**
 * Live values by polling; of all pages that one user has open in one browser, one polls for all.
 * Elements bind by attribute, data-notify-badge, -progress or -text = name; code by the document's event "notify:<name>",
 * whose detail is {data, timestamp}, with {data: null, removed: true} for a value that is gone.
 * @typedef {{name: string, data: any, timestamp: number, expires_in?: number, removed?: boolean}} Item
 * @typedef {{data: any, timestamp: number, removed: boolean, deadline: number}} Value
 * @typedef {{items: Item[], from: number, whole: boolean, back: boolean, lead: boolean, interval: number, at: number}} News
 * @typedef {(element: HTMLElement, value: Value) => void} Painter
 * @typedef {{pace: number, lead(leads: boolean): void, told(headers: Headers): void}} Bell `pace`: milliseconds, or 0: it is away
 */

const MINUTE = 60_000;
/** @type {Map<string, Value>} */
const values = new Map();
let url = "", user = "", key = "", stream = "", since = 0, interval = MINUTE / 6;
let halted = "off"; // or "session": it is over, and asked about when the page is looked at
let leading = false, failures = 0, wait = 0, notBefore = 0, last = 0;
let whole = false; // the next poll asks for the whole state
let rung = false; // there may be news that the poll under way was answered without
/** @type {Bell | undefined} */
let bell;
/** @type {Headers | undefined} */
let answer;
/** @type {AbortController | undefined} */
let seat;
/** @type {AbortController | undefined} */
let flight;
/** @type {BroadcastChannel | undefined} */
let channel;
/** @type {MessageEvent<News>[]} */
let backlog = [];
let timer = 0, expiry = 0, overdue = 0;
let offset = Date.now() - performance.now(), slept = 0, mark = "";
const visible = () => document.visibilityState === "visible";
const shared = () => navigator.locks && window.BroadcastChannel;

/** Begins as the script tag says; there is none when nobody is logged in. */
export function start() {
  const tag = /** @type {any} */ (document.querySelector("script[data-notify-url]"));
  if (!tag || url) return;
  url = tag.dataset.notifyUrl;
  user = tag.dataset.notifyUser;
  stream = tag.dataset.notifyStream;
  key = `notify:${url}:${user}`;
  since = Number(tag.dataset.notifySince) || 0;
  interval = milliseconds(tag.dataset.notifyInterval) || interval;
  halted = "";
  // A page out of the disk cache may show what has expired, which no poll tells.
  whole = performance.getEntriesByType("navigation").some((entry) => /** @type {any} */ (entry).type === "back_forward");
  listen();
  adoptRendered();
  queue();
  poll();
}

/** Ends polling and forgets the values; what is painted stays. */
export function stop() {
  url = "";
  halted = "off";
  LISTENERS.forEach(([target, ...rest]) => target.removeEventListener(...rest));
  leave();
  clear(expiry);
  values.clear();
}

/** Paints the known values into elements just added; the next update does so, too. */
export function refresh() {
  for (const [element, name, paint] of bindings()) {
    const value = values.get(name);
    if (value && value.data !== undefined) paint(element, value);
  }
  followBadge();
}

/** Gives this page a doorbell: notify-stream.js, where the page names a stream. @param {Bell} it */
export function useBell(it) {
  bell = it;
  it.lead(leading);
  if (answer) it.told(answer);
}

/** Asks at once, and again if there may be `news` of which a poll under way does not know. A server in trouble is not asked the sooner. */
export function ring(news = true) {
  rung ||= news;
  if (!flight && !failures) tick();
}

/** The bell is away. All pages hear that at once, and spread out. */
export function repace() {
  last = Math.max(last, now() - Math.random() * interval);
  schedule();
}

async function poll() {
  overdue = clear(overdue);
  if (flight || halted === "off") return;
  if (now() < notBefore) return schedule();
  clear(timer);
  const mine = (flight = new AbortController());
  const alarm = later(() => mine.abort(), MINUTE / 2);
  const from = whole ? 0 : since;
  const headers = { Accept: "application/json", ...(stream && { "X-Notify-Stream": rung ? "rung" : "1" }) };
  rung = false;
  try {
    const query = (url.includes("?") ? "&since=" : "?since=") + from;
    const response = await fetch(url + query, { redirect: "manual", headers, signal: mine.signal });
    const items = await response.json().catch(() => null);
    if (flight === mine) settle(response, items, from);
  } catch {
    if (flight === mine) backOff();
  }
  clear(alarm);
  if (flight !== mine) return;
  flight = undefined;
  last = now();
  for (const message of backlog.splice(0)) hear(message);
  if (whole) catchUp();
  schedule();
  if (rung) ring();
}

/** @param {Response} response @param {Item[]} items @param {number} from */
function settle({ status, headers }, items, from) {
  const whose = headers.get("X-Notify-User");
  if (status === 200 && whose === user) return accept(headers, items, from);
  if (status >= 500 || status === 429 || (status === 200 && !whose)) return backOff(retryAfter(headers));
  leave(); // 200 is another account's; 0 is a redirect, to a login page
  if ([200, 401, 0].includes(status)) return (halted = "session");
  halted = "off";
  console.warn(`notify.js: ${url} answered ${status}; updates stop.`);
}

/** @param {Headers} headers @param {Item[]} items @param {number} from */
function accept(headers, items, from) {
  interval = milliseconds(headers.get("X-Poll-Interval")) || interval;
  const reset = headers.has("X-Notify-Reset");
  const news = { items, from, whole: reset || !from, back: reset && newest(items) < from, lead: leading, interval, at: Date.now() };
  failures = notBefore = 0;
  halted = "";
  whole &&= !news.whole;
  if (!seat) queue();
  channel?.postMessage(news);
  take(news);
  answer = headers;
  bell?.told(headers);
}

function backOff(told = 0) {
  failures += 1;
  wait = told || Math.min(5 * MINUTE, interval * 2 ** failures) * (0.5 + Math.random() / 2);
  if (told) notBefore = now() + told;
}

/** Sets the leader's timer; a follower has none. */
function schedule() {
  clear(timer);
  if (!leading || flight) return;
  const pace = bell?.pace || (visible() ? interval : Math.max(interval, MINUTE));
  timer = later(tick, Math.max(last + (failures ? wait : pace), notBefore) - now());
}

async function tick() {
  if (visible() || !shared()) return poll();
  // Hidden pages poll only while no visible page leads.
  await navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && poll()).catch(() => {});
  last = now();
  schedule();
}

/** Lets go of all that keeps a page out of the back-forward cache. */
function leave() {
  seat?.abort();
  flight?.abort();
  channel?.close();
  seat = flight = channel = undefined;
  lead(false);
  rung = false;
  backlog = [];
  overdue = clear(timer, overdue);
}

/** @param {boolean} leads */
function lead(leads) {
  leading = leads;
  bell?.lead(leads);
}

/** Listens, and queues for the lead among the visible or the hidden pages. */
function queue() {
  seat?.abort();
  const { signal } = (seat = new AbortController());
  const first = () => {
    lead(true);
    schedule();
    return new Promise((resolve) => signal.addEventListener("abort", resolve));
  };
  lead(false);
  clear(timer);
  if (!shared()) return first();
  channel ??= new BroadcastChannel(key);
  channel.onmessage = hear;
  // Where locks are forbidden, every page leads.
  navigator.locks.request(key + (visible() ? "" : ":hidden"), { signal }, first).catch(() => signal.aborted || first());
}

/** @param {MessageEvent<News>} message */
function hear(message) {
  if (flight) return void backlog.push(message);
  const news = message.data;
  if (news.back || (news.lead && !news.whole && news.from > since)) return catchUp();
  if ((news.whole ? since - newest(news.items) : news.from - since) > 0) return;
  interval = news.interval;
  last = now();
  take(news);
  schedule();
}

/** Something was missed: this page polls for itself, and hidden ones spread out. */
function catchUp() {
  if (!halted) overdue ||= later(poll, failures ? wait : visible() ? 0 : Math.random() * interval);
}

/** A page without a seat comes out of the back-forward cache: wake() follows. */
function look() {
  if (seat) queue();
  if (!visible() || !(seat || halted)) return;
  failures = 0;
  poll();
}

const wake = () => (seat || halted || queue(), poll());
/** @type {[EventTarget, string, (event: any) => void][]} */
const LISTENERS = [
  [window, "DOMContentLoaded", start],
  [window, "load", start],
  [document, "visibilitychange", look],
  [document, "freeze", leave],
  [document, "resume", wake],
  [window, "pagehide", leave],
  [window, "pageshow", (event) => event.persisted && wake()],
  [window, "online", () => failures && poll()],
];
const listen = () => LISTENERS.forEach(([target, ...rest]) => target.addEventListener(...rest));

/** Items up to `since` are known or replaced. News to a frozen page have aged. @param {News} news */
function take({ items, whole, back, at }) {
  const time = now() - Math.max(0, Date.now() - at);
  const changed = whole ? dropUnlisted(items) : [];
  for (const { name, data, timestamp, removed = false, expires_in = Infinity } of items) {
    const before = values.get(name);
    if (!whole && timestamp <= since) continue;
    if (before?.timestamp !== timestamp || before.removed || before.data === undefined) changed.push(name);
    values.set(name, { data: removed ? null : data, timestamp, removed, deadline: time + expires_in * 1000 });
  }
  since = Math.max(back ? 0 : since, newest(items));
  announce(changed);
}

/** @param {Item[]} items */
function dropUnlisted(items) {
  const names = new Set([...values.keys(), ...bindings().map(([, name]) => name)]);
  items.forEach(({ name }) => names.delete(name));
  return [...names].filter((name) => !values.get(name)?.removed).map(drop);
}

/** @param {string} name */
function drop(name) {
  values.set(name, { data: null, timestamp: values.get(name)?.timestamp ?? since, removed: true, deadline: Infinity });
  return name;
}

/** Tells code first: what a listener adds is painted, too. @param {string[]} names */
function announce(names) {
  for (const name of names) {
    const { data, timestamp, removed } = /** @type {Value} */ (values.get(name));
    // A name without a time never had a value.
    if (timestamp) document.dispatchEvent(new CustomEvent(`notify:${name}`, { detail: { data, timestamp, ...(removed && { removed }) } }));
  }
  if (names.length) refresh();
  expire();
}

function expire() {
  clear(expiry);
  const time = now();
  const due = [...values].filter(([, { deadline }]) => deadline <= time);
  if (due.length) return announce(due.map(([name]) => drop(name)));
  const next = Math.min(...Array.from(values.values(), ({ deadline }) => deadline));
  if (next < Infinity) expiry = later(expire, next - time);
}

/** A value that only the server painted has no known data, but may expire. */
function adoptRendered() {
  for (const [element, name] of bindings()) {
    const left = Number(element.dataset.notifyExpiresIn) * 1000;
    if (left >= 0) values.set(name, { data: undefined, timestamp: since, removed: false, deadline: now() + left });
  }
  followBadge();
  expire();
}

/** Data become text only, never HTML. @type {[string, Painter][]} */
const PAINTERS = [
  ["data-notify-badge", paintBadge],
  ["data-notify-progress", paintProgress],
  ["data-notify-text", paintText],
];
/** @returns {[HTMLElement, string, Painter][]} */
const bindings = () => PAINTERS.flatMap(([attribute, paint]) =>
  Array.from(document.querySelectorAll(`[${attribute}]`), (element) => /** @type {any} */ ([element, element.getAttribute(attribute), paint])));

/** Only a rise is announced. @param {HTMLElement} element @param {Value} value */
function paintBadge(element, { data }) {
  const count = Math.max(0, Math.trunc(numeric(data) || 0)), before = shown(element);
  const text = count > 99 ? "99+" : String(count);
  const [label, status] = [".notify-badge-label", "[role=status]"].map((part) => element.closest(".notify-badge-box")?.querySelector(part));
  if (element.textContent !== text) {
    element.textContent = text;
    status?.replaceChildren(count > before ? `${text} ${label?.textContent ?? ""}` : "");
    later(() => status?.replaceChildren(), MINUTE / 6);
  }
  for (const part of [element, label]) part?.toggleAttribute("hidden", !count);
}

/** @param {HTMLElement} element @param {Value} value */
function paintProgress(element, { data, removed }) {
  const bar = element instanceof HTMLProgressElement ? element : element.querySelector("progress");
  const percent = Math.min(100, Math.max(0, numeric(data?.progress ?? data)));
  const text = percent >= 0 ? `${Math.floor(percent)}%` : "";
  if (bar && text) bar.value = (percent * bar.max) / 100;
  else bar?.removeAttribute("value");
  element.querySelector(".notify-progress-value")?.replaceChildren(text);
  element.hidden = removed;
}

/** @param {HTMLElement} element @param {Value} value */
function paintText(element, { data }) {
  const text = typeof data === "string" ? data : data === null ? element.dataset.notifyDefault ?? "" : JSON.stringify(data);
  if (element.textContent !== text) element.textContent = text;
}

/** The title and the application's icon follow the page's first badge. */
function followBadge() {
  const badge = document.querySelector("[data-notify-badge]");
  if (!badge) return;
  const count = shown(badge);
  const prefix = count ? `(${badge.textContent?.trim()}) ` : "";
  const title = prefix + document.title.slice(document.title.startsWith(mark) ? mark.length : 0);
  if (document.title !== title) document.title = title;
  if (mark !== prefix) navigator.setAppBadge?.(count).catch(() => {});
  mark = prefix;
}

/** Counts sleep. A wall clock set ahead looks the same: asking for the whole state mends that. */
function now() {
  const drift = Date.now() - performance.now() - offset;
  offset += drift;
  if (drift > 1000) {
    slept += drift;
    whole = true;
    catchUp();
    later(expire, 0);
  }
  return performance.now() + slept;
}

/** @param {() => void} task @param {number} delay */
const later = (task, delay) => window.setTimeout(task, Math.min(2 ** 31 - 1, Math.max(0, delay)));
/** @param {number[]} timers */
const clear = (...timers) => (timers.forEach(clearTimeout), 0);
/** @param {string | null | undefined} seconds */
const milliseconds = (seconds) => (Number(seconds) > 0 ? Number(seconds) * 1000 : 0);
/** @param {Item[]} items */
const newest = (items) => items.at(-1)?.timestamp ?? 0;
/** @param {Element} badge */
const shown = (badge) => parseInt(badge.textContent ?? "") || 0;
/** @param {any} data */
const numeric = (data) => (typeof data === "number" ? data : NaN);

/** A date counts from the server's own Date. @param {Headers} headers */
function retryAfter(headers) {
  const [text, date] = ["Retry-After", "Date"].map((name) => headers.get(name) ?? "");
  return milliseconds(text) || Math.max(0, Date.parse(text) - Date.parse(date));
}

// Modules further down the page may still want to listen.
document.readyState === "complete" ? start() : listen();
