// One job log on an open page: new lines appear, follow mode, permalinks to ranges, copy, wrap.
import { askJson, local, poll } from "./base.js";
import { askThisPage, replacePart } from "./live.js";

const page = document.getElementById("job-log");
const lines = document.getElementById("lines");
const follow = document.getElementById("follow");
const wrap = document.getElementById("wrap");
const copy = document.getElementById("copy");
const EVERY_MS = 1500;
const LINES_BEFORE = 20;
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

let scrolledTo = window.scrollY;

/** Whoever goes up, by whatever means, wants to read: let go. At the end again, hold on again. */
function onScroll() {
  const { scrollHeight, clientHeight } = document.documentElement;
  if (window.scrollY + clientHeight >= scrollHeight - 4) follow.checked = true;
  else if (window.scrollY < scrolledTo) follow.checked = false;
  scrolledTo = window.scrollY;
}

function numberOf(line) {
  return line ? Number(line.id.slice(1)) : 0;
}

/** Return the link to the lines after those of a page; there is none at the end. */
function later(root) {
  return root.querySelector(".more-lines a[rel=next]");
}

async function look() {
  const url = `${page.dataset.details}?after=${page.dataset.lastId}&limit=1`;
  const { details, status, active, updated_at: updatedAt } = await askJson(url);
  const ended = status !== page.dataset.status && !active;
  let rest = null;
  if (details.length || status !== page.dataset.status || updatedAt !== page.dataset.updatedAt) {
    const fresh = await askThisPage({ line: numberOf(lines.lastElementChild) + 1 });
    replacePart(fresh, "live-summary");
    const added = later(page) ? [] : [...fresh.querySelectorAll("#lines > .line")];
    lines.append(...added);
    for (const empty of page.querySelectorAll("p.empty")) empty.hidden = lines.children.length > 0;
    showTimes(lines);
    if (added.length && follow.checked) toEnd();
    // Of more lines than a page shows the next look fetches the rest.
    rest = added.length ? later(fresh) : null;
    const { lastId, lines: count } = fresh.getElementById("job-log").dataset;
    Object.assign(page.dataset, { lastId: rest ? added.at(-1).dataset.id : lastId, lines: count, status, updatedAt });
  }
  if (ended) document.getElementById("live-said").textContent = `The run has ended: ${status}`;
  if (!active && !rest) {
    polling.stop();
    window.removeEventListener("scroll", onScroll);
    follow.closest("label").hidden = true;
  }
}

/**
 * Mark the lines that the address names, `#L12` or `#L12-L20`; where they are not on this page, go to the page that has
 * them, some lines before.
 */
function markLines() {
  for (const line of lines.querySelectorAll(".marked")) line.classList.remove("marked");
  const named = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
  if (!named) return;
  const [from, to] = [Number(named[1]), Number(named[2] ?? named[1])].sort((one, other) => one - other);
  const marked = [...lines.children].filter((line) => numberOf(line) >= from && numberOf(line) <= to);
  for (const line of marked) line.classList.add("marked");
  if (marked.length) marked[0].scrollIntoView({ block: "center" });
  else goToLine(from);
}

function goToLine(number) {
  const address = new URL(location.href);
  // A form keeps the fragment: what is searched for then must not give way to the lines marked before.
  const isFiltered = ["q", "level"].some((name) => address.searchParams.get(name));
  if (isFiltered || number < 1 || number > Number(page.dataset.lines)) return;
  address.searchParams.set("line", Math.max(1, number - LINES_BEFORE));
  if (address.search !== location.search) location.replace(address);
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
  const marked = lines.querySelectorAll(".line.marked");
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
window.addEventListener("hashchange", markLines);
markLines();
copy.addEventListener("click", copyLines);
wrap.addEventListener("change", () => lines.classList.toggle("nowrap", !wrap.checked));
follow.addEventListener("change", () => follow.checked && toEnd());
if (page.dataset.active === "1") {
  if (!location.hash) {
    follow.checked = true;
    toEnd();
  }
  window.addEventListener("scroll", onScroll, { passive: true });
  polling = poll(look, { everyMs: EVERY_MS });
  polling.now();
} else {
  follow.closest("label").hidden = true;
}
