/**
 * The inbox without reloads. Every form that it sends is a real one, which works without it as well: what it changes is
 * posted as the form would, and what it shows was rendered by the server.
 */

const EVENT = "notify:unread_message_count";
const MINUTE = 60_000;
const tag = /** @type {HTMLElement} */ (document.querySelector("script[data-notify-csrf]"));
const POPPED = `notify:popped:${tag.dataset.notifyOf}`;
let known = Number(one("[data-notify-count]")?.dataset.notifyCount ?? Infinity);
/** Forms that the browser sends, as if there were no script. @type {WeakSet<HTMLFormElement>} */
const plain = new WeakSet();
/** Forms that were sent without being asked: once. @type {WeakSet<HTMLFormElement>} */
const sent = new WeakSet();
/** What opens each bell, without taking the focus. @type {(() => any)[]} */
const openers = [];
/** The newest message that is to show itself. */
let popup = 0;
/** How many times each part was asked for: a late answer must not undo a later one. @type {WeakMap<HTMLElement, number>} */
const turns = new WeakMap();

/** @param {string} selector @param {ParentNode} [within] @returns {HTMLElement | null} */
function one(selector, within = document) {
  return within.querySelector(selector);
}

/** @param {string} selector @param {ParentNode} [within] @returns {HTMLElement[]} */
function all(selector, within = document) {
  return [...within.querySelectorAll(selector)].map((element) => /** @type {HTMLElement} */ (element));
}

/**
 * Posts a form; an answer that is no success is null.
 * @param {HTMLFormElement} form @param {HTMLElement | null} [button] @returns {Promise<{unseen_count: number} | null>}
 */
async function post(form, button, again = true) {
  const data = new URLSearchParams(/** @type {any} */ (new FormData(form)));
  const name = button?.getAttribute("name");
  if (name) data.append(name, button?.getAttribute("value") ?? "");
  const url = button?.getAttribute("formaction") ?? form.getAttribute("action") ?? "";
  const response = await fetch(url, { method: "POST", body: data, redirect: "manual", headers: { Accept: "application/json" } });
  if (response.ok) return response.json();
  // A page may be open for longer than its token lives.
  return again && response.status === 400 && (await renew()) ? post(form, button, false) : null;
}

async function renew() {
  const response = await fetch(tag.dataset.notifyCsrf ?? "", { headers: { Accept: "application/json" } });
  if (!response.ok) return false;
  const { field, token } = await response.json();
  for (const input of document.getElementsByName(field)) /** @type {HTMLInputElement} */ (input).value = token;
  return true;
}

/** @param {HTMLFormElement} form @param {HTMLElement | null} button */
async function send(form, button) {
  const answer = await post(form, button).catch(() => null);
  if (!answer) {
    // The browser shows what is the matter: a login page, an error, no connection.
    plain.add(form);
    return form.requestSubmit(button);
  }
  settle(answer);
  const mark = button?.dataset.notifyMark;
  if (mark === "widget") return form.closest("[data-notify-widget]")?.remove();
  if (form.matches("[data-notify-auto]")) return markAll(form);
  const row = /** @type {HTMLElement | null} */ (button?.closest("[data-notify-message]"));
  const pressed = [button, document.body].includes(/** @type {HTMLElement} */ (document.activeElement));
  for (const other of row ? all(`[data-notify-message="${row.dataset.notifyMessage}"]`) : all("[data-notify-message]")) {
    paint(other, mark !== "unseen", true);
  }
  // The button that was pressed is gone; its counterpart has taken its place.
  if (row && pressed) one("[data-notify-mark]:not([hidden])", row)?.focus();
}

/** All pages of this browser are told by notify.js, which polls at once when a page resumes. @param {{unseen_count: number}} answer */
function settle(answer) {
  known = answer.unseen_count;
  document.dispatchEvent(new Event("resume"));
}

/** @param {HTMLElement} row @param {boolean} seen @param {boolean} [told] whether it stops looking new, too */
function paint(row, seen, told = false) {
  if (told || !seen) row.classList.toggle("notify-message-unseen", !seen);
  for (const button of all("[data-notify-mark]", row)) button.hidden = (button.dataset.notifyMark === "seen") === seen;
}

/** What is on the page has been seen, and still shows what was new. @param {HTMLElement} form */
function markAll(form) {
  for (const row of all("[data-notify-list] [data-notify-message]")) paint(row, true);
  form.remove();
}

/** A page that nobody looks at shows nothing. */
async function markShown() {
  const form = /** @type {HTMLFormElement | null} */ (one("form[data-notify-auto]"));
  if (!form || document.visibilityState !== "visible" || sent.has(form)) return;
  sent.add(form);
  const answer = await post(form).catch(() => null);
  if (!answer) return; // its button is there
  settle(answer);
  markAll(form);
}

/** @param {string} url */
async function load(url) {
  const response = await fetch(url, { headers: { Accept: "text/html" } }).catch(() => null);
  // Another account: whatever this page shows is not that user's.
  if (response?.ok && response.headers.get("X-Notify-User") !== tag.dataset.notifyOf) return location.reload();
  return response?.ok && !response.redirected ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
}

/** Shows a part of the page as it is now, and keeps the focus where it was. @param {HTMLElement} part */
async function refresh(part) {
  const turn = (turns.get(part) ?? 0) + 1;
  turns.set(part, turn);
  const fresh = await load(part.dataset.notifyPart ?? "");
  if (!fresh || turns.get(part) !== turn) return Boolean(fresh);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const id = /** @type {HTMLElement | null} */ (focused?.closest("[data-notify-message]"))?.dataset.notifyMessage;
  part.replaceChildren(...fresh.body.childNodes);
  if (focused) (one(`[data-notify-message="${id}"] [data-notify-mark]:not([hidden])`, part) ?? one("button, a", part))?.focus();
  const widget = /** @type {HTMLElement | null} */ (part.closest("[data-notify-widget]"));
  if (widget) widget.hidden = !one("[data-notify-message]", part);
  return true;
}

/** The link to all messages becomes a button that opens the newest. @param {HTMLElement} inbox */
function upgrade(inbox) {
  const link = /** @type {HTMLAnchorElement} */ (one("a", inbox));
  const panel = /** @type {HTMLElement} */ (one("[data-notify-part]", inbox));
  const bell = document.createElement("button");
  bell.type = "button";
  bell.className = link.className;
  bell.append(...link.childNodes);
  link.replaceWith(bell);
  /** @param {boolean} open */
  const show = (open) => {
    panel.hidden = !open;
    bell.setAttribute("aria-expanded", String(open));
  };
  show(false);
  const open = async () => {
    if (!(await refresh(panel))) return false;
    show(true);
    panel.classList.remove("notify-inbox-panel-start");
    panel.classList.toggle("notify-inbox-panel-start", panel.getBoundingClientRect().left < 0);
    return true;
  };
  bell.addEventListener("click", async () => {
    if (!panel.hidden) return show(false);
    if (!(await open())) location.assign(link.href);
  });
  openers.push(() => panel.hidden && open());
  inbox.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    show(false);
    bell.focus();
  });
  document.addEventListener("click", (event) => event.composedPath().includes(inbox) || show(false));
  inbox.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !inbox.contains(/** @type {Node} */ (relatedTarget))) show(false);
  });
}

/** The list of the page as it is now. @param {MouseEvent} event */
async function showNews(event) {
  const link = /** @type {Element} */ (event.target).closest?.("a[data-notify-news]");
  if (!(link instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  const fresh = (await load(link.href))?.querySelector("[data-notify-list]");
  if (!fresh) return location.assign(link.href);
  one("[data-notify-list]")?.replaceWith(fresh);
  known = Number(one("[data-notify-count]")?.dataset.notifyCount);
  one("[data-notify-list] a")?.focus();
  markShown();
}

/** Opens the inbox by itself, on the page that is looked at, and on no other page for the same messages. */
function popUp() {
  if (!popup || document.visibilityState !== "visible" || !document.hasFocus()) return;
  const shown = Number(localStorage.getItem(POPPED));
  if (shown < popup) {
    localStorage.setItem(POPPED, String(popup));
    openers[0]?.();
  }
  popup = 0;
}

function tellTimes() {
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  for (const time of all("time[data-notify-time]")) {
    const minutes = (Date.parse(/** @type {HTMLTimeElement} */ (time).dateTime) - Date.now()) / MINUTE;
    /** @type {[number, Intl.RelativeTimeFormatUnit]} */
    const [size, unit] = minutes < -1440 ? [1440, "day"] : minutes < -60 ? [60, "hour"] : [1, "minute"];
    if (minutes <= -1) time.textContent = format.format(Math.ceil(minutes / size), unit);
  }
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target), button = event.submitter;
  if (!form.matches("[data-notify-form]") || button?.matches("[data-notify-plain]") || plain.delete(form)) return;
  event.preventDefault();
  send(form, button);
});
document.addEventListener("click", showNews);
document.addEventListener("visibilitychange", markShown);
document.addEventListener(EVENT, (/** @type {any} */ event) => {
  for (const part of all("[data-notify-part]")) if (!part.hidden) refresh(part);
  const news = one("[data-notify-news]");
  if (news && event.detail.data > known) news.hidden = false;
});
document.addEventListener("notify:inbox_popup", (/** @type {any} */ event) => {
  popup = event.detail.data ? event.detail.timestamp : 0;
  popUp();
});
for (const happening of ["focus", "pageshow"]) window.addEventListener(happening, popUp);
document.addEventListener("visibilitychange", popUp);
all("[data-notify-inbox]").forEach(upgrade);
setInterval(tellTimes, MINUTE);
markShown();
