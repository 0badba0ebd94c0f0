/**
 * The doorbell: a stream on which the server rings when there is news; notify.js then asks for it.
 * The one tab that polls for all holds the stream, while somebody looks at it. The stream carries nothing but the ring, so that
 * whatever becomes of it, a page is late at worst, and by no more than the time between two polls.
 * @typedef {{source: EventSource, since: number, opened: number, up: boolean, alarm: number}} Line
 */

const SECOND = 1000, LIFE = 60 * SECOND; // of a token, and of the stream that it opens

/** @type {HTMLScriptElement | null} */
const tag = document.querySelector("script[data-notify-stream]");
/** The same instance that the page runs. @type {typeof import("./notify.js") | undefined} */
const notify = tag ? await import(tag.src) : undefined;
const interval = Number(tag?.dataset.notifyStreamInterval) * SECOND || 45 * SECOND;

/** @type {Line | undefined} The stream that is listened to. */
let line;
/** @type {Line | undefined} The one that is about to take over from it. */
let next;
let token = "", minted = 0, leading = false, kept = false, tries = 0, retry = 0;
let wait = 0, due = Infinity, asked = -SECOND; // the timer of the next poll, its time, and that of the one before

/** Lets the leading tab keep its stream while it is hidden. */
export function keepWhenHidden(on = true) {
  kept = on;
  attend();
}

const bell = {
  pace: 0,

  /** @param {boolean} leads */
  lead(leads) {
    leading = leads;
    attend();
  },

  /** After each poll: its answer brings a token. @param {Headers} headers */
  told(headers) {
    const fresh = headers.get("X-Notify-Stream");
    if (fresh) [token, minted] = [fresh, Date.now()];
    if (line?.up) bell.pace = interval;
    // A stream that would end before the next poll is replaced before it does.
    if (fresh && !retry && (!line || Date.now() - line.since + (line.up ? interval : LIFE / 4) > LIFE - 5 * SECOND)) connect();
  },
};

/** Without Web Locks each tab leads, and a browser has no more than six connections to a host of HTTP/1.1. */
const wanted = () => leading && (kept || visible()) && "locks" in navigator && "BroadcastChannel" in window;
const visible = () => document.visibilityState === "visible";

function attend() {
  if (!wanted()) hangUp();
  else if (visible()) line || connect();
  else notify?.ring(false); // which asks, and so brings a token, only where no visible tab polls
}

function connect() {
  retry = clear(retry);
  if (next || !tag || !wanted()) return;
  if (!token || Math.abs(Date.now() - minted) > LIFE / 2) return notify?.ring(false); // told() follows
  const url = tag.dataset.notifyStream ?? "";
  const source = new EventSource(`${url}${url.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`);
  // What stands between may keep back what it does not know to be a stream.
  /** @type {Line} */
  const mine = (next = { source, since: minted, opened: 0, up: false, alarm: setTimeout(() => lose(mine), 15 * SECOND) });
  source.addEventListener("hello", () => settle(mine, true));
  source.addEventListener("away", () => settle(mine, false));
  source.addEventListener("ring", rung);
  source.addEventListener("bye", () => lose(mine));
  // By itself it would try again with the old token, and all pages would at the same time.
  source.addEventListener("error", () => lose(mine));
}

/** @param {Line} mine @param {boolean} up whether the server hears of news */
function settle(mine, up) {
  // The computer may have slept, and the server have closed what looks open here.
  const heard = line?.up && Date.now() - line.since < LIFE;
  clear(mine.alarm);
  mine.up = up;
  if (mine === next) {
    line?.source.close();
    line = mine;
    next = undefined;
    mine.opened = Date.now();
  }
  if (!up) slow();
  else if (!heard) notify?.ring(); // for what came in between
}

/** @param {MessageEvent<string>} event says over how many seconds the pages that hear it are to spread */
function rung({ data }) {
  const spread = Number(/"spread":\s*([\d.]+)/.exec(data)?.[1]) || 0, time = performance.now();
  // It may ring hundreds of times in a second.
  const at = Math.max(time + Math.random() * spread * SECOND, asked + SECOND / 2);
  if (at <= time) return ask();
  if (at >= due) return;
  clear(wait);
  due = at;
  wait = setTimeout(ask, at - time);
}

function ask() {
  clear(wait);
  due = Infinity;
  asked = performance.now();
  notify?.ring();
}

/** @param {Line} mine */
function lose(mine) {
  if (mine !== line && mine !== next) return;
  mine.source.close();
  clear(mine.alarm);
  if (mine.since === minted) token = "";
  if (mine === next) next = undefined;
  else line = undefined;
  if (mine.opened && Date.now() - mine.opened > LIFE / 2) tries = 0;
  if (!line) slow();
  if (!next) retry ||= setTimeout(connect, SECOND + Math.random() * Math.min(LIFE - SECOND, 4 * SECOND * 2 ** tries++));
}

function hangUp() {
  for (const one of [line, next]) {
    one?.source.close();
    clear(one?.alarm);
  }
  line = next = undefined;
  retry = clear(retry, wait);
  due = Infinity;
  slow();
}

/** Polls come at their plain pace. */
function slow() {
  if (!bell.pace) return;
  bell.pace = 0;
  notify?.repace();
}

/** @param {(number | undefined)[]} timers */
const clear = (...timers) => (timers.forEach(clearTimeout), 0);

window.addEventListener("online", () => retry && connect());
notify?.useBell(bell);
