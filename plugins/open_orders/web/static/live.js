// Parts of an open page, brought up to date from the page itself: what the server writes is written in one place.
import { ask, refreshTimes, serverNow } from "./base.js";

/** Return a page, or a part of one, as a document. */
export async function askPage(address) {
  const response = await ask(address, "text/html");
  if (!response.ok) throw new Error(`the web server answered ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** Return this page as it is now, or as it is with some parameters instead of its own. */
export function askThisPage(parameters = {}) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  return askPage(address);
}

function place(part, element) {
  if (!element || !part.contains(element)) return null;
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : element.matches(".table-wrap") ? ".table-wrap" : null;
}

/** Put a part of a fresh page into this one, keeping focus and how far tables are scrolled sideways. */
export function replacePart(fresh, id) {
  const old = document.getElementById(id);
  const part = fresh.getElementById(id);
  if (!old || !part || old.innerHTML === part.innerHTML) return;
  const focused = place(old, document.activeElement);
  const scrolled = [...old.querySelectorAll(".table-wrap")].map((wrap) => wrap.scrollLeft);
  old.replaceWith(part);
  refreshTimes(part);
  [...part.querySelectorAll(".table-wrap")].forEach((wrap, at) => { wrap.scrollLeft = scrolled[at] ?? 0; });
  if (focused) part.querySelector(focused)?.focus({ preventScroll: true });
}

/** Return a duration as the server writes it. */
export function duration(seconds) {
  if (seconds < 59.95) return `${Math.max(seconds, 0).toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  const two = (value) => String(value).padStart(2, "0");
  return minutes < 60 ? `${minutes} min ${two(whole % 60)} s` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

setInterval(() => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-since]")) {
    element.textContent = duration((serverNow() - Date.parse(element.dataset.since)) / 1000);
  }
}, 1000);
