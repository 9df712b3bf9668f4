// One job log on an open page: new lines appear, follow mode, permalinks to ranges, copy, wrap.
import { local, poll } from "./base.js";
import { fetchPage, replacePart } from "./live.js";

const page = document.getElementById("job-log");
const lines = document.getElementById("lines");
const follow = document.getElementById("follow");
const wrap = document.getElementById("wrap");
const copy = document.getElementById("copy");
const EVERY_MS = 1500;
let polling;

function showTimes(root) {
  for (const time of root.querySelectorAll("time[data-line]")) {
    const date = new Date(time.dateTime);
    const { clock, moment } = local(date);
    const [hours, zone] = clock.split(" ");
    const text = `${hours}.${String(date.getMilliseconds()).padStart(3, "0")}`;
    if (time.textContent !== text) time.textContent = text;
    time.title = moment;
    const shown = document.getElementById("line-zone");
    if (shown) shown.textContent = zone;
  }
}

function toEnd() {
  window.scrollTo({ top: document.documentElement.scrollHeight });
}

async function look() {
  const url = `${page.dataset.details}?after=${page.dataset.lastId}`;
  const response = await fetch(url, { headers: { accept: "application/json" }, redirect: "error" });
  if (!response.ok) throw new Error(response.statusText);
  const { details, status, active, last_id: lastId, updated_at: updatedAt } = await response.json();
  const ended = status !== page.dataset.status && !active;
  if (details.length || status !== page.dataset.status || updatedAt !== page.dataset.updatedAt) {
    const fresh = await fetchPage();
    replacePart(fresh, "live-summary");
    const known = new Set([...lines.children].map((line) => line.id));
    const added = [...fresh.querySelectorAll("#lines > .line")].filter((line) => !known.has(line.id));
    lines.append(...added);
    for (const empty of page.querySelectorAll("p.empty")) empty.hidden = lines.children.length > 0;
    showTimes(lines);
    if (added.length && follow.checked) toEnd();
    const freshPage = fresh.getElementById("job-log");
    Object.assign(page.dataset, { lastId: Math.max(lastId, freshPage.dataset.lastId), status, updatedAt });
  }
  if (ended) document.getElementById("live-said").textContent = `The run has ended: ${status}`;
  if (!active) {
    polling.stop();
    follow.checked = false;
  }
}

/** Mark the range of lines that the address names, `#L12-L20`; a single line is marked by the style sheet. */
function markRange() {
  for (const line of lines.querySelectorAll(".marked")) line.classList.remove("marked");
  const range = /^#L(\d+)-L?(\d+)$/.exec(location.hash);
  if (!range) return;
  const [from, to] = [Number(range[1]), Number(range[2])].sort((one, other) => one - other);
  const marked = [...lines.children].filter(({ id }) => Number(id.slice(1)) >= from && Number(id.slice(1)) <= to);
  for (const line of marked) line.classList.add("marked");
  marked[0]?.scrollIntoView({ block: "center" });
}

function extendRange(event) {
  const link = event.target.closest("a.no");
  const start = /^#L(\d+)/.exec(location.hash);
  if (!link || !event.shiftKey || !start) return;
  event.preventDefault();
  const [from, to] = [Number(start[1]), Number(link.dataset.no)].sort((one, other) => one - other);
  location.hash = `#L${from}-L${to}`;
}

async function copyLines() {
  const marked = lines.querySelectorAll(".line.marked, .line:target");
  const chosen = marked.length ? [...marked] : [...lines.children];
  const text = chosen.map((line) => ["time", ".level", ".task", ".message"]
    .map((part) => line.querySelector(part).textContent.trim()).join("  ")).join("\n");
  const label = copy.querySelector("span");
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = `copied ${chosen.length} line${chosen.length === 1 ? "" : "s"}`;
  } catch {
    // Without HTTPS, or in a frame that may not: select the lines, so that one keystroke copies them.
    getSelection().selectAllChildren(lines);
    label.textContent = "selected: press Ctrl+C";
  }
}

for (const tool of document.querySelectorAll(".js")) tool.hidden = false;
showTimes(lines);
setInterval(() => {
  if (!document.hidden) showTimes(lines);
}, 5000);
lines.addEventListener("click", extendRange);
window.addEventListener("hashchange", markRange);
markRange();
copy.addEventListener("click", copyLines);
wrap.addEventListener("change", () => lines.classList.toggle("nowrap", !wrap.checked));
follow.addEventListener("change", () => follow.checked && toEnd());
// Whoever scrolls up wants to read: let go. At the end again, hold on again.
window.addEventListener("wheel", ({ deltaY }) => {
  if (deltaY < 0) follow.checked = false;
}, { passive: true });
window.addEventListener("touchmove", () => { follow.checked = false; }, { passive: true });
window.addEventListener("keydown", ({ key }) => {
  if (["ArrowUp", "PageUp", "Home"].includes(key)) follow.checked = false;
});
if (page.dataset.active === "1") {
  follow.checked = !location.hash;
  polling = poll(look, { everyMs: EVERY_MS });
  polling.now();
} else {
  follow.closest("label").hidden = true;
}
