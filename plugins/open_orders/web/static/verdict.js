// The verdict on an open page is read again when a run may have changed it; the arrow keys move along its strip.
import { refreshTimes } from "./base.js";
import "./level.js";
import { askPage } from "./live.js";

const INTERVAL_MS = 5 * 60_000;

function current() {
  return document.querySelector(".verdict");
}

/** Read the verdict again and show it, keeping the focus; while that fails the old one stays, its age ticking on. */
async function refresh() {
  const verdict = current();
  if (!verdict) return;
  const fresh = (await askPage(verdict.dataset.url)).querySelector(".verdict");
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
  // While nothing runs it changes only with a run that should have come: no more often than that is it read again.
  setInterval(() => {
    if (!document.hidden) quietly();
  }, INTERVAL_MS);
  // Pages that watch a run say when it has begun or ended.
  document.addEventListener("job-logs-changed", quietly);
}
