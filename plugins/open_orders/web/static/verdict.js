// The verdict on an open page: its level follows the clock, and it is read again when a run may have changed it.
import { refreshTimes, serverNow } from "./base.js";

const words = { amber: "Late", red: "Not syncing" };
const ranks = { unknown: 0, green: 0, amber: 1, red: 2 };

function current() {
  return document.querySelector(".verdict");
}

function tick() {
  const verdict = current();
  if (!verdict?.dataset.amberAt || document.hidden) return;
  const now = serverNow();
  const due = now >= Date.parse(verdict.dataset.redAt) ? "red" : now >= Date.parse(verdict.dataset.amberAt) ? "amber" : "green";
  const shown = verdict.dataset.level;
  if (ranks[due] <= ranks[shown]) return;
  verdict.dataset.level = due;
  verdict.classList.replace(shown, due);
  verdict.querySelector(".verdict-word span").textContent = words[due];
  verdict.querySelector(".verdict-word use").setAttribute("href", due === "red" ? "#i-cross" : "#i-warning");
}

/** Read the verdict again and show it, keeping the focus; while that fails the old one stays, its age ticking on. */
export async function refresh() {
  const verdict = current();
  if (!verdict) return;
  const response = await fetch(verdict.dataset.url, { headers: { accept: "text/html" }, redirect: "error" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector(".verdict");
  if (!fresh) return;
  const focused = verdict.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  verdict.replaceWith(fresh);
  refreshTimes(fresh);
  rove(fresh);
  if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** Make the strip one stop of the tab key; the arrow keys move inside it. */
function rove(verdict) {
  const cells = [...verdict.querySelectorAll(".strip a")];
  if (!cells.length) return;
  for (const cell of cells) cell.tabIndex = -1;
  cells.at(-1).tabIndex = 0;
  verdict.querySelector(".strip").addEventListener("keydown", (event) => {
    const at = cells.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: cells.length - 1 }[event.key];
    if (at < 0 || to === undefined || !cells[to]) return;
    event.preventDefault();
    cells[at].tabIndex = -1;
    cells[to].tabIndex = 0;
    cells[to].focus();
  });
}

const quietly = () => refresh().catch(() => undefined);
if (current()) {
  rove(current());
  setInterval(tick, 1000);
  setInterval(() => {
    if (!document.hidden) quietly();
  }, 60_000);
  // Pages that watch a run say when it has begun or ended.
  document.addEventListener("job-logs-changed", quietly);
}
