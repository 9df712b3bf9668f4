// The list of job logs on an open page: one light question, and the list again when the answer changed.
import { poll } from "./base.js";
import { fetchPage, replacePart } from "./live.js";

const list = document.getElementById("job-logs");
const parts = ["live-chips", "live-list", "live-insight", "live-run-now"];
const ACTIVE_MS = 2000;
const IDLE_MS = 15000;
let polling;

async function look() {
  const response = await fetch(list.dataset.activity, { headers: { accept: "application/json" }, redirect: "error" });
  if (!response.ok) throw new Error(response.statusText);
  const { version, active } = await response.json();
  const wasActive = list.dataset.active !== "0";
  if (version !== list.dataset.version) {
    const [before] = list.dataset.version.split("/");
    const beganOrEnded = before !== version.split("/")[0] || String(active) !== list.dataset.active;
    const fresh = await fetchPage();
    for (const part of parts) replacePart(fresh, part);
    Object.assign(list.dataset, { version, active });
    if (beganOrEnded) document.dispatchEvent(new Event("job-logs-changed"));
  }
  if (wasActive !== (active > 0)) watch(active > 0);
}

function watch(active) {
  polling?.stop();
  polling = poll(look, { everyMs: active ? ACTIVE_MS : IDLE_MS });
}

watch(list.dataset.active !== "0");
// A run that was just triggered takes a moment to open its log.
document.addEventListener("run-triggered", () => watch(true));
