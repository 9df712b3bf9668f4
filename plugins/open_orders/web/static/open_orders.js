// Keeps the freshness banner of an open page true, and offers newer data without touching what is being read. A page that
// came before everything on it was found is completed.
import { askJson, poll, refreshTimes } from "./base.js";
import "./level.js";
import { askPage, askThisPage, replacePart } from "./live.js";

const holder = document.getElementById("freshness");
const newer = document.getElementById("newer-data");
const COMPLETE_MS = 250;
let shown = holder.querySelector("section").dataset.asOf;
let isChoosing = false;

function differs(found) {
  const { state, level, latest, asOf } = holder.querySelector("section").dataset;
  return found.state !== state || found.level !== level || (found.latest_sync ?? "") !== latest || !same(found.data_as_of, asOf);
}

function same(iso, text) {
  return Date.parse(iso ?? "") === Date.parse(text) || (!iso && !text);
}

function showFreshness(section) {
  const focused = holder.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  holder.replaceChildren(section);
  refreshTimes(holder);
  if (focused) [...holder.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
}

async function look() {
  const found = await askJson(holder.dataset.api);
  if (differs(found)) {
    showFreshness((await askPage(holder.dataset.url)).querySelector("section"));
  }
  newer.hidden = same(found.data_as_of, shown);
}

function isPending() {
  return document.getElementById("live-orders").dataset.pending === "1";
}

async function complete() {
  const fresh = await askThisPage();
  const section = fresh.querySelector("#freshness section");
  shown = section.dataset.asOf;
  for (const part of ["live-totals", "live-orders"]) replacePart(fresh, part);
  // Whoever is choosing what to look for must not lose it.
  if (!isChoosing) replacePart(fresh, "live-filters");
  showFreshness(section);
  if (!isPending()) completing.stop();
}

poll(look, { everyMs: 10_000 });
document.addEventListener("input", () => { isChoosing = true; });
const completing = isPending() ? poll(complete, { everyMs: COMPLETE_MS }) : null;
