/**
 * Actions without reloads. Every form is a real one, which works without the script, too. What the server answers
 * is carried out in one fixed order, and none of it is run as code.
 */

const BODY = "notify-dialog-body", KEPT = "notify:toasts";
const REACHABLE = "input:not([type=hidden], :disabled), select, textarea, button:not(:disabled), a[href]";
const PARTS = "[data-notify-refresh][id]";
const PATIENCE = 30_000, STAY = 8_000;
const headers = { Accept: "application/json" };
const say = one("script[data-notify-actions]").dataset;
/** Forms that the browser sends, as if there were no script. */
const plain = new WeakSet();
/** Where the focus returns: the button that was pressed, or what took its place. @type {any} */
let home;
let count = 0;
const toasts = make("div", "notify-toasts");

/** @param {any} selector @param {any} within @returns {any} */
function one(selector, within = document) {
  return within.querySelector(selector);
}

/** @param {any} selector @returns {any[]} */
function all(selector) {
  return [...document.querySelectorAll(selector)];
}

/** @param {any} name @param {any} className @param {any} textContent @returns {any} */
function make(name, className = "", textContent = "") {
  return Object.assign(document.createElement(name), { className, textContent });
}

/** By the attribute: a field named "action" hides the property. @param {any} form @param {any} button */
function address(form, button) {
  return new URL(button?.getAttribute("formaction") ?? form.getAttribute("action"), document.baseURI);
}

/** @param {any} form @param {any} button @param {any} data */
async function send(form, button, data) {
  form.ariaBusy = "true";
  // Not `disabled`, which would take the focus away.
  if (button) button.ariaDisabled = "true";
  const answer = await ask(form, button, data);
  if (button) button.ariaDisabled = null;
  form.ariaBusy = null;
  const event = new CustomEvent("notify:action", { detail: answer, bubbles: true, cancelable: true });
  if (!answer || !(form.isConnected ? form : document).dispatchEvent(event)) return;
  if (!answer.xcallback) return carryOut(answer, form);
  const { id, title, text, buttons: { yes, no } } = answer.xcallback;
  const reply = await choose(title, text, { yes, no });
  // Who only closes the question has not answered.
  if (reply) {
    data.set(`answer-${id}`, reply);
    send(form, button, data);
  }
}

/** @param {any} form @param {any} button @param {any} data @param {any} again @returns {Promise<any>} */
async function ask(form, button, data, again = true) {
  const url = address(form, button), post = form.getAttribute("method") === "post";
  const query = new URLSearchParams(data);
  if (!post) url.search = String(query);
  const sent = post && { method: "POST", body: form.getAttribute("enctype") ? data : query };
  const response = await fetch(url, { ...sent, headers, redirect: "manual", signal: AbortSignal.timeout(PATIENCE) }).catch(
    (error) => tell([error.name === "TimeoutError" ? say.late : say.offline, "error"]),
  );
  if (!response) return;
  // The browser shows the page to log in.
  if (response.status === 401 || !response.status) return plain.add(form), form.requestSubmit(button);
  // A page may be open for longer than its token lives.
  if (again && post && response.status === 400 && (await renew(data))) return ask(form, button, data, false);
  const answer = await response.json().catch(() => null);
  return response.ok && answer ? answer : { message: answer?.error ?? say.failed, ...answer, success: false };
}

/** @param {any} data */
async function renew(data) {
  const response = await fetch(say.notifyActions, { headers }).catch(() => null);
  if (!response?.ok) return false;
  const { field, token } = await response.json();
  for (const input of all(`[name="${field}"]`)) input.value = token;
  data.set(field, token);
  return true;
}

/** @param {any} answer @param {any} form */
async function carryOut(answer, form) {
  const dialog = form.closest("dialog");
  for (const [id, markup] of Object.entries(answer.html ?? {})) {
    const old = document.getElementById(id) ?? (id === BODY && openDialog(answer.title, form));
    if (old) swap(old, parse(markup));
    if (id === BODY) one(`#${id} [aria-invalid=true]`)?.focus();
  }
  const record = answer.record_deleted && (dialog?.opener ?? form).closest("[data-notify-record]");
  if (record) {
    home = one(REACHABLE, record.nextElementSibling ?? record.previousElementSibling ?? document);
    record.remove();
  }
  // What was typed stays where it did not succeed.
  if (answer.success !== false && !answer.html?.[BODY]) dialog?.close();
  const [url, other] = [answer.goto_url, answer.open_url].map((path) => path && new URL(path, location.href));
  const here = url?.origin === location.origin;
  const reload = answer.refresh_all || (answer.refresh && !one(PARTS));
  await tellAll(answer, here || reload);
  if (answer.close_window) all(".notify-dialog").forEach((open) => open.close());
  if (reload) location.reload();
  else if (answer.refresh) await refresh();
  if (here) location.assign(url);
  // To hosts that the server allows.
  if (other && [location.host, ...say.hosts.split(" ")].includes(other.host)) window.open(other, "_blank", "noopener");
  // The live values follow: notify.js polls when a page resumes.
  document.dispatchEvent(new Event("resume"));
  comeHome();
}

/** Returns which button was pressed; the last has the focus. @param {any} title @param {any} text @param {any} buttons @returns {Promise<any>} */
function choose(title, text, buttons) {
  const form = make("form"), said = make("p", "notify-dialog-text", text), row = make("p", "notify-dialog-buttons");
  const dialog = frame(title, form);
  for (const value in buttons) row.append(Object.assign(make("button", "notify-button", buttons[value]), { value }));
  row.lastChild.autofocus = true;
  form.method = "dialog";
  form.append(said, row);
  said.id = `${dialog.id}-text`;
  dialog.role = "alertdialog";
  dialog.setAttribute("aria-describedby", said.id);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue)));
}

/** @param {any} title @param {any} form */
function openDialog(title, form) {
  const body = make("div"), dialog = frame(title, body);
  body.id = BODY;
  dialog.opener = form;
  // Once the form is in it, which gets the focus.
  queueMicrotask(() => dialog.showModal());
  return body;
}

/** @param {any} title @param {any} content */
function frame(title, content) {
  const dialog = make("dialog", "notify-dialog"), heading = make("h2", "notify-heading-small", title || say.title);
  dialog.id = `notify-dialog-${++count}`;
  heading.id = `${dialog.id}-title`;
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.append(heading, content);
  dialog.addEventListener("close", () => {
    dialog.remove();
    place();
    comeHome();
  });
  document.body.append(dialog);
  return dialog;
}

/** Scripts in it do not run. @param {any} markup @returns {DocumentFragment} */
function parse(markup) {
  const template = make("template");
  template.innerHTML = markup;
  return template.content;
}

/** Puts something in the place of an element, and keeps the focus. @param {any} old @param {any} fresh */
function swap(old, fresh) {
  const focused = old.contains(document.activeElement) && heir(document.activeElement, fresh);
  if (old.contains(home)) home = heir(home, fresh);
  old.replaceWith(fresh);
  if (focused) focused.focus();
}

/** The same button, else the first that can be reached. @param {any} element @param {any} fresh */
function heir({ dataset }, fresh) {
  const same = one(`[data-notify-button="${CSS.escape(dataset.notifyButton ?? "")}"]:enabled`, fresh);
  return same ?? one(REACHABLE, fresh) ?? Object.assign(fresh.firstElementChild ?? document.body, { tabIndex: -1 });
}

function comeHome() {
  if (document.activeElement === document.body) home?.focus();
}

/** @param {any} answer @param {any} leaving whether another page comes: it shows what is to be said */
async function tellAll({ success, message, alert, title, errors, info_message, warning_message, debug_message }, leaving) {
  if (debug_message) console.debug(debug_message);
  if (alert && message) await choose(alert === true ? title : alert, message, { ok: say.ok });
  // A form says its errors itself.
  const notes = [[!alert && !errors && message, success === false ? "error" : "success"], [info_message, "info"], [warning_message, "warning"]];
  if (leaving) sessionStorage.setItem(KEPT, JSON.stringify(notes));
  else notes.forEach(tell);
}

/** @param {any} note */
function tell([text, kind]) {
  if (!text) return;
  const toast = make("div", `notify-toast notify-toast-${kind}`), close = make("button", "notify-toast-close", "×");
  const vanish = () => {
    // Not while somebody reads or dismisses it.
    if (document.hidden || toast.matches(":hover, :focus-within")) setTimeout(vanish, 1_000);
    else toast.remove();
  };
  close.type = "button";
  close.ariaLabel = say.dismiss;
  close.onclick = () => {
    toast.remove();
    (one("button", toasts) ?? home)?.focus();
  };
  toast.append(make("span", "", text), close);
  if (kind === "error") toast.role = "alert";
  else setTimeout(vanish, STAY);
  place();
  toasts.append(toast);
}

/** All but the innermost open dialog is out of reach. */
function place() {
  const host = all(".notify-dialog[open]").at(-1) ?? document.body;
  if (toasts.parentNode !== host) host.append(toasts);
}

/** Shows the marked parts of the page as they are now. */
async function refresh() {
  const response = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (!response?.ok) return location.reload();
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of all(PARTS)) {
    const fresh = parse("");
    fresh.append(page.getElementById(part.id) ?? "");
    swap(part, fresh);
  }
}

document.addEventListener("submit", (event) => {
  const form = /** @type {any} */ (event.target), button = event.submitter;
  if (!form.matches("[data-notify-action]") || plain.delete(form) || address(form, button).origin !== location.origin) return;
  event.preventDefault();
  if (form.matches("[aria-busy]")) return;
  if (!form.closest("dialog")) home = button ?? document.activeElement;
  send(form, button, new FormData(form, button));
});
document.addEventListener("click", (event) => {
  const target = /** @type {any} */ (event.target), dialog = target.closest("[data-notify-close]")?.closest("dialog");
  // The second click of two is none.
  if (dialog || (event.detail > 1 && target.closest("[data-notify-action] button"))) event.preventDefault();
  dialog?.close();
});
toasts.role = "status";
place();
JSON.parse(sessionStorage.getItem(KEPT) ?? "[]").forEach(tell);
sessionStorage.removeItem(KEPT);
