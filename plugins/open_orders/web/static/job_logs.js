// The list of job logs on an open page: one light question, and the list again when the answer changed.
import { askJson, poll } from "./base.js";
import { askThisPage, replacePart } from "./live.js";

const list = document.getElementById("job-logs");
const parts = ["live-chips", "live-list", "live-insight", "live-run-now"];
const ACTIVE_MS = 2000;
const IDLE_MS = 15000;
const WAIT_FOR_RUN_MS = 60000;
let polling;

async function look() {
  const { version, active } = await askJson(list.dataset.activity);
  const wasActive = list.dataset.active !== "0";
  if (version !== list.dataset.version) {
    const [before] = list.dataset.version.split("/");
    const beganOrEnded = before !== version.split("/")[0] || String(active) !== list.dataset.active;
    const fresh = await askThisPage();
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
// A run that was just triggered takes a moment to open its log; that of a paused DAG never does.
document.addEventListener("run-triggered", () => {
  watch(true);
  setTimeout(() => watch(list.dataset.active !== "0"), WAIT_FOR_RUN_MS);
});
