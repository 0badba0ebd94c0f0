/**
 * New messages on the desktop, while a page is open but nobody looks at it. Users switch it on by a button, for
 * themselves and this browser. One of all pages shows each message, and closes it when seen.
 * @typedef {{title: string, body: string | null, url: string | null, tag: string}} Note
 */

const STAY = 8_000, MESSAGE = "notify-message-";
const say = /** @type {HTMLElement} */ (document.querySelector("script[data-notify-desktop]")).dataset;
const { notifyDesktop: url = "", of: user = "", worker = "", scope = "", notifyPushKey: pushKey } = say;
const headers = { Accept: "application/json" };
/** The newest change of the count that this page has heard of. */
let latest = Number(say.since);
/** The button last pressed says what has become of it. @type {Element | null} */
let pressed = null;
/** @type {Promise<ServiceWorkerRegistration | null> | undefined} */
let registration;
/** @type {((value?: any) => void) | undefined} */
let lookAway;
/** @type {Promise<any> | undefined} */
let looking;

/** @param {string} name */
const key = (name, whose = user) => `notify:${name}:${scope}:${whose}`;

/** @param {string} name */
function recall(name, whose = user) {
  try {
    return localStorage.getItem(key(name, whose));
  } catch {
    return null; // it is forbidden: then nothing is on
  }
}

/** @param {string} name @param {any} value */
function keep(name, value, whose = user) {
  try {
    localStorage.setItem(key(name, whose), value);
  } catch {}
}

/** The permission is the browser's, for whoever uses it: each user is asked. */
function state() {
  if (!("Notification" in window && navigator.locks)) return "none";
  const { permission } = Notification, opinion = recall("opinion");
  if (permission === "denied") return permission;
  if (opinion === "on" && permission === "granted") return recall("quiet") ? "quiet" : opinion;
  return opinion === "never" ? opinion : "ask";
}
const isOn = () => ["on", "quiet"].includes(state());

/** Shows what each button has to say now. */
function paint() {
  for (const button of document.querySelectorAll("[data-notify-desktop-button]")) {
    const always = button.hasAttribute("data-always"), now = state();
    const shown = always && now === "never" ? "ask" : always || button === pressed || now === "ask" ? now : "";
    for (const part of button.children) part.toggleAttribute("hidden", part.getAttribute("data-state") !== shown);
    button.toggleAttribute("hidden", !button.querySelector("[data-state]:not([hidden])"));
  }
}

/** @param {MouseEvent} event */
async function press({ target }) {
  const choice = /** @type {Element} */ (target).closest("[data-notify-desktop-button] [data-do]");
  if (!choice) return;
  const wish = choice.getAttribute("data-do");
  // At once: a browser hears the question only while the click is fresh.
  if (wish !== "on" || (await Notification.requestPermission()) === "granted") keep("opinion", wish);
  keep("cursor", latest);
  pressed = choice.closest("[data-notify-desktop-button]");
  paint();
  /** @type {HTMLElement | null | undefined} */ (pressed?.querySelector("[data-state]:not([hidden]) button"))?.focus();
  await settle().catch(() => {});
}

/** The worker, if the browser has any and takes ours. */
function register() {
  return (registration ??= (async () => {
    const found = await navigator.serviceWorker.register(worker, { scope, updateViaCache: "none" });
    const next = found.installing ?? found.waiting;
    if (!found.active) await new Promise((done) => next?.addEventListener("statechange", () => next.state === "activated" && done(0)));
    return found;
  })().catch(() => null));
}

/** Data become what every browser shows: text. @param {Note} note */
async function show({ title, body, url, tag }) {
  const options = { body: body ?? "", tag, data: { url } };
  if (await (await register())?.showNotification(title, options).then(() => true, () => false)) return;
  const note = new Notification(title, options);
  note.onclick = () => {
    window.focus();
    go(url);
  };
}

/** @param {string | null} url */
function go(url) {
  if (url && /^https?:$/.test(new URL(url, location.href).protocol)) location.assign(url);
}

/** Whoever looks at a page has that page hold a lock. */
function look() {
  const looks = document.visibilityState === "visible" && document.hasFocus();
  if (looks === Boolean(lookAway)) return;
  lookAway?.();
  lookAway = undefined;
  if (!looks) return;
  const away = new Promise((done) => (lookAway = done));
  looking = navigator.locks?.request(key("looked"), { mode: "shared" }, () => away);
}
async function somebodyLooks() {
  if (!lookAway) await looking; // it takes a moment
  return navigator.locks.request(key("looked"), { ifAvailable: true }, (lock) => !lock);
}
/** One page after the other: what one has shown, the next one knows. @param {() => Promise<any>} task */
const inTurn = (task) => navigator.locks.request(key("turn"), task);

/** @param {any} note */
const textOf = ({ tag, title, body }) => tag + title + body;

/** @param {number} timestamp of the change of the count */
async function tellNews(timestamp) {
  latest = Math.max(latest, timestamp);
  if (!isOn()) return;
  await inTurn(async () => {
    const from = Number(recall("cursor"));
    if (timestamp <= from) return;
    const notes = (await (await register())?.getNotifications()) ?? [];
    const ids = notes.map(({ tag }) => Number(tag.replace(MESSAGE, ""))).filter(Boolean).slice(-50);
    const looked = await somebodyLooks();
    if (looked && !notes.length) return keep("cursor", timestamp);
    // All pages wait for this one meanwhile.
    const signal = AbortSignal.timeout(30_000);
    const response = await fetch(`${url}?since=${from}&shown=${ids}`, { headers, signal }).catch(() => null);
    if (!response || response.status >= 500) return void setTimeout(tellNews, 30_000, timestamp);
    if (!response.ok || response.headers.get("X-Notify-User") !== user) return;
    const news = await response.json();
    const seen = [...ids.filter((id) => !news.unseen.includes(id)), ...(news.unseen_count ? [] : ["s"])];
    for (const note of notes) if (seen.some((id) => note.tag === MESSAGE + id)) note.close();
    keep("cursor", news.cursor);
    // What another page has kept may come late here; what the browser shows does not.
    const known = notes.map(textOf);
    for (const note of news.notes) if (!looked && !known.includes(textOf(note))) await show(note);
  });
}

/** Lives for a moment: as a toast where somebody looks. @param {any} message @param {number} timestamp */
async function tellBrowser({ id, subject: title, body, url }, timestamp) {
  const visible = document.visibilityState === "visible";
  if (lookAway || state() !== "on") return visible && toast(body ? `${title}\n${body}` : title, url);
  await inTurn(async () => {
    if (timestamp <= Number(recall("told"))) return;
    keep("told", timestamp);
    if (!(await somebodyLooks())) await show({ title, body, url, tag: `notify-browser-${id}` });
  });
}

/** @param {string} name @param {string} className @param {any} [textContent] @param {any} [onclick] */
function make(name, className, textContent = "", onclick = null) {
  return Object.assign(document.createElement(name), { className, textContent, onclick });
}

/** @param {string} text @param {string | null} url */
function toast(text, url) {
  const box = document.querySelector(".notify-toasts") ?? document.body.appendChild(make("div", "notify-toasts"));
  const note = make("div", "notify-toast"), vanish = () => note.remove();
  const close = make("button", "notify-toast-close", "×", vanish);
  note.append(make("span", "", text), url ? make("button", "notify-button notify-button-quiet", say.open, () => go(url)) : "", close);
  box.role = "status";
  box.append(note);
  close.ariaLabel = say.dismiss ?? "";
  // Not while somebody reads or dismisses it.
  const stay = () => setTimeout(() => (note.matches(":hover, :focus-within") ? stay() : vanish()), STAY);
  stay();
}

/** @param {string | undefined} path @param {any} body */
async function post(path, body) {
  const { token } = await (await fetch(say.csrf ?? "", { headers })).json();
  const sent = { ...headers, "Content-Type": "application/json", "X-CSRFToken": token };
  return fetch(path ?? "", { method: "POST", headers: sent, body: JSON.stringify(body) });
}

/** Gives the server an address to push to, or takes it away. */
async function settle() {
  const on = isOn();
  const stream = /** @type {HTMLScriptElement | null} */ (document.querySelector("script[data-notify-stream-script]"));
  if (stream) import(stream.src).then((module) => module.keepWhenHidden?.(on)).catch(() => {});
  const found = await (on ? register() : navigator.serviceWorker?.getRegistration(scope));
  let subscription = await found?.pushManager?.getSubscription();
  const told = () => JSON.stringify([user, pushKey, subscription?.endpoint]);
  if (on && (!pushKey || (subscription && recall("pushed", "") === told()))) return;
  // It is no more wanted, or another account's, or for another key.
  keep("pushed", "", "");
  if (subscription && user && pushKey) await post(say.unsubscribe, { user, endpoint: subscription.endpoint }).catch(() => {});
  await subscription?.unsubscribe();
  if (!on) return;
  subscription = await found?.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: pushKey });
  if ((await post(say.subscribe, { user, ...subscription?.toJSON() })).ok) keep("pushed", told(), "");
}

/** @param {any} event */
function hear({ data, ports }) {
  if (data.notify === "there" && data.of === user) ports[0].postMessage(true);
  if (data.notify === "open") go(data.url);
}

/** Takes away what was for somebody else, who was logged in before. */
async function takeAway() {
  const before = recall("user", "");
  keep("user", user, "");
  if (before === user || before === null) return;
  const found = await navigator.serviceWorker?.getRegistration(scope);
  for (const note of (await found?.getNotifications()) ?? []) note.close();
}

/** @type {[EventTarget, string, (event: any) => void][]} */
const LISTENERS = [
  [window, "focus", look],
  [window, "blur", look],
  [window, "pageshow", look],
  [window, "pagehide", () => (lookAway?.(), (lookAway = undefined))],
  [window, "storage", paint], // another page has switched it
  [document, "visibilitychange", look],
  [document, "click", press],
  [document, "notify:unread_message_count", ({ detail }) => tellNews(detail.timestamp)],
  [document, "notify:browser_message", ({ detail }) => detail.data && tellBrowser(detail.data, detail.timestamp)],
  // A test is shown although somebody looks: to see it is what it was sent for.
  [document, "notify:action", ({ detail }) => detail?.note && state() === "on" && show(detail.note)],
];

await takeAway().catch(() => {});
if (user) {
  keep("quiet", "quiet" in say ? 1 : "");
  paint();
  look();
  LISTENERS.forEach(([target, ...rest]) => target.addEventListener(...rest));
  navigator.serviceWorker?.addEventListener("message", hear);
  // What is there when somebody comes to look is no news.
  if (lookAway || !recall("cursor")) keep("cursor", Math.max(latest, Number(recall("cursor"))));
  else tellNews(latest);
}
await settle().catch(() => {});
