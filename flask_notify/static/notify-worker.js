/**
 * The service worker: shows pushes, and opens what a notification is about. It keeps nothing and stands
 * between no page and its server; its scope is its own address, so that it is beside any worker of the application.
 */

const worker = /** @type {any} */ (self);
/** @param {string} path */
const near = (path) => String(new URL(path, worker.location.href));

/** @param {any} push */
async function show({ title, body = "", url, tag, badge, lang }) {
  const looked = (await pages()).some((page) => page.focused);
  // A browser demands that each push is shown. What the page has shown already has the same tag, and is replaced.
  await worker.registration.showNotification(title, { body, tag, lang, silent: looked, data: { url } });
  if (badge >= 0) await worker.navigator.setAppBadge?.(badge);
}

/** @returns {Promise<any[]>} */
const pages = () => worker.clients.matchAll({ type: "window", includeUncontrolled: true });

/** Leads a page that is open to what was clicked, else a new one. @param {string} url */
async function open(url) {
  if (!url) return;
  for (const page of await pages()) {
    if (!(await answers(page))) continue;
    await page.focus().catch(() => {});
    return page.postMessage({ notify: "open", url });
  }
  return worker.clients.openWindow(url);
}

/** Whether a page has our script: another of this site would not know what to do. @param {any} page */
const answers = (page) =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(true);
    setTimeout(resolve, 300, false);
    page.postMessage({ notify: "there", of: new URL(worker.location.href).searchParams.get("of") }, [port2]);
  });

/** The browser has changed its address: the server is told, if the same user is still logged in. @param {any} event */
async function renew({ oldSubscription, newSubscription }) {
  const options = oldSubscription?.options;
  const fresh = newSubscription ?? (options && (await worker.registration.pushManager.subscribe(options)));
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const answer = await fetch(near("notifications/csrf"), { headers });
  const mine = answer.headers.get("X-Notify-User") === new URL(worker.location.href).searchParams.get("of");
  if (!fresh || !answer.ok || !mine) return;
  const { token } = await answer.json();
  await fetch(near("push-subscriptions"), { method: "POST", headers: { ...headers, "X-CSRFToken": token }, body: JSON.stringify(fresh) });
}

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("push", (/** @type {any} */ event) => event.waitUntil(show(event.data.json())));
worker.addEventListener("pushsubscriptionchange", (/** @type {any} */ event) => event.waitUntil(renew(event).catch(() => {})));
worker.addEventListener("notificationclick", (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url));
});
