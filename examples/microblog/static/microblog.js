// @ts-check
/**
 * What the pages do beyond HTML: each part works on the elements it finds, and every
 * page works without it.
 */

const UNITS = /** @type {const} */ ([
  [7 * 86400, "week"],
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
]);

/** Keep "3 minutes ago" true while the page is open. */
function refreshTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.now() - Date.parse(time.getAttribute("datetime") ?? "")) / 1000;
    // After five weeks the page shows the date, which does not change.
    if (!(seconds < 35 * 86400)) continue;
    const unit = UNITS.find(([size]) => seconds >= size);
    const count = unit ? Math.floor(seconds / unit[0]) : 0;
    time.textContent = unit ? `${count} ${unit[1]}${count === 1 ? "" : "s"} ago` : "just now";
  }
}

/** Tell how many characters a text may still have. */
function countCharacters() {
  const hint = document.querySelector("[data-characters-left]");
  const field = hint && document.getElementById(hint.getAttribute("data-characters-left") ?? "");
  if (!hint || !(field instanceof HTMLTextAreaElement)) return;
  const limit = field.maxLength;
  // The limit is checked at the server; here a long text may be pasted and then cut by hand.
  field.removeAttribute("maxlength");
  const tell = () => {
    const left = limit - Array.from(field.value.trim()).length;
    hint.classList.toggle("too-many", left < 0);
    hint.textContent = left < 0 ? `${-left} too many` : `${left} left`;
  };
  field.addEventListener("input", tell);
  tell();
}

/** Offer new posts above the feed instead of moving what somebody is reading. */
function offerNews() {
  const link = document.querySelector("a[data-news]");
  if (!(link instanceof HTMLAnchorElement)) return;
  document.addEventListener(`notify:${link.dataset.news}`, (event) => {
    const count = Number(/** @type {CustomEvent} */ (event).detail.data) || 0;
    link.hidden = count === 0;
    link.textContent = `Show ${count} new post${count === 1 ? "" : "s"}`;
  });
}

/** Fetch a part of the page anew, as the server renders it, when a live value says so. */
function refreshParts() {
  for (const part of document.querySelectorAll("[data-refresh-on]")) {
    const refresh = async () => {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(part.id);
      if (fresh) part.replaceChildren(...fresh.childNodes);
      refreshTimes();
    };
    // One at a time and in turn: an older answer must not replace a newer one.
    let last = Promise.resolve();
    document.addEventListener(`notify:${part.getAttribute("data-refresh-on")}`, () => {
      last = last.then(refresh).catch(() => {});
    });
  }
}

/** Offer to tick all boxes of a name at once; without a script each is ticked by hand. */
function tickAll() {
  const show = () => {
    for (const box of document.querySelectorAll("[data-tick-all]")) box.closest("label")?.removeAttribute("hidden");
  };
  document.addEventListener("change", (event) => {
    const all = event.target;
    if (!(all instanceof HTMLInputElement) || all.dataset.tickAll === undefined) return;
    for (const box of document.getElementsByName(all.dataset.tickAll)) {
      if (box instanceof HTMLInputElement) box.checked = all.checked;
    }
  });
  // The list may be fetched anew.
  new MutationObserver(show).observe(document.body, { childList: true, subtree: true });
  show();
}

refreshTimes();
setInterval(refreshTimes, 30_000);
countCharacters();
offerNews();
refreshParts();
tickAll();
