// Keeps the freshness banner of an open page true, and offers newer data without touching what is being read.
import { askJson, poll, refreshTimes } from "./base.js";
import "./level.js";
import { askPage } from "./live.js";

const holder = document.getElementById("freshness");
const newer = document.getElementById("newer-data");
const shown = holder.querySelector("section").dataset.asOf;

function differs(found) {
  const { state, level, latest, asOf } = holder.querySelector("section").dataset;
  return found.state !== state || found.level !== level || (found.latest_sync ?? "") !== latest || !same(found.data_as_of, asOf);
}

function same(iso, text) {
  return Date.parse(iso ?? "") === Date.parse(text) || (!iso && !text);
}

async function look() {
  const found = await askJson(holder.dataset.api);
  if (differs(found)) {
    const focused = holder.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    holder.replaceChildren((await askPage(holder.dataset.url)).querySelector("section"));
    refreshTimes(holder);
    if (focused) [...holder.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  }
  newer.hidden = same(found.data_as_of, shown);
}

poll(look, { everyMs: 10_000 });
