// The panel on Airflow's home page, with the host's React. Airflow calls what is left in globalThis.AirflowPlugin.
const { createElement: h, useEffect, useState } = globalThis.React;

const REFRESH_MS = 30_000;
const signs = { green: "✓", amber: "⚠", red: "✕", unknown: "○" };
const statusSigns = { new: "○", processing: "◐", success: "✓", error: "✕", interrupted: "⚠" };
const at = (path) => new URL(path, document.baseURI).href;

function addStyles() {
  const href = new URL(`panel.css${new URL(import.meta.url).search}`, import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) return;
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
}

// Ages are by the server's clock: a reader's may be wrong, and a wrong one would call a fresh list late.
let skew = 0;
const serverNow = () => Date.now() + skew;

function ago(iso) {
  const seconds = Math.max(0, (serverNow() - Date.parse(iso)) / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`;
}

function chosenZone() {
  try {
    // Airflow keeps its settings as JSON.
    return JSON.parse(localStorage.getItem("timezone")) || undefined;
  } catch {
    return undefined;
  }
}

function local(iso) {
  const options = { timeZone: chosenZone(), timeZoneName: "longOffset" };
  const all = { ...options, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
  return new Date(iso).toLocaleString("sv-SE", all).replace("GMT", "");
}

/** The level by the clock: a page that is open all night must not stay green on an old answer. */
function judge(verdict) {
  const now = serverNow();
  if (verdict.red_at && now >= Date.parse(verdict.red_at)) {
    return { level: "red", headline: verdict.level === "red" ? verdict.headline : "Not syncing" };
  }
  if (verdict.amber_at && now >= Date.parse(verdict.amber_at) && verdict.level === "green") {
    return { level: "amber", headline: "Late" };
  }
  return verdict;
}

function useVerdict() {
  const [answer, setAnswer] = useState({});
  useEffect(() => {
    let gone = false;
    async function load() {
      if (document.hidden) return;
      try {
        // The second header: no browser should ask for a password when the session has ended.
        const headers = { accept: "application/json", "x-requested-with": "fetch" };
        const response = await fetch(at("job_logs/api/panel"), { headers });
        const body = await response.json();
        if (gone) return;
        if (response.ok) {
          const ahead = Date.parse(body.as_of) - Date.now();
          skew = Math.abs(ahead) > 5000 ? ahead : 0;
          setAnswer({ verdict: body });
        } else setAnswer({ refused: response.status === 401 || response.status === 403, failure: body.title });
      } catch {
        if (!gone) setAnswer({ failure: "The web server does not answer" });
      }
    }
    load();
    const loading = setInterval(load, REFRESH_MS);
    document.addEventListener("visibilitychange", load);
    return () => {
      gone = true;
      clearInterval(loading);
      document.removeEventListener("visibilitychange", load);
    };
  }, []);
  return answer;
}

function useTick() {
  const [, setTick] = useState(0);
  useEffect(() => {
    const ticking = setInterval(() => setTick((tick) => tick + 1), 1000);
    return () => clearInterval(ticking);
  }, []);
}

function Links({ verdict }) {
  return h(
    "nav",
    { className: "oop-row", "aria-label": "Open orders sync" },
    h("a", { href: at("plugin/job-logs") }, "Job Logs"),
    verdict?.may_read_open_orders ? h("a", { href: at("plugin/open-orders") }, "Open Orders") : null,
    h("a", { href: at("dags/sync_open_orders") }, "Jobs Monitor"),
  );
}

function Cell({ cell, last }) {
  const query = new URLSearchParams({ from: cell.at, to: cell.until });
  const path = cell.job_log ? `job_logs/${encodeURIComponent(cell.job_log)}` : `job_logs/?${query}`;
  const label = `${local(cell.at)}: ${cell.words}`;
  return h(
    "li",
    null,
    h("a", {
      className: `oop-cell ${cell.outcome} h${cell.height}`,
      href: at(`plugin/job-logs/${path}`),
      title: label,
      "aria-label": label,
      tabIndex: last ? 0 : -1,
    }),
  );
}

function move(event) {
  const cells = [...event.currentTarget.querySelectorAll("a")];
  const from = cells.indexOf(document.activeElement);
  const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: cells.length - 1 }[event.key];
  if (from < 0 || to === undefined || !cells[to]) return;
  event.preventDefault();
  cells[to].focus();
}

function Log({ log }) {
  const text = `${statusSigns[log.status]} ${log.status} ${log.name}`;
  return h("li", null, h("a", { href: at(`plugin/job-logs/job_logs/${encodeURIComponent(log.name)}`) }, text));
}

function Verdict({ verdict }) {
  const { level, headline } = judge(verdict);
  const { last_success: last, runs_expected: expected, runs_succeeded: succeeded } = verdict;
  const facts = [
    last ? `Last success ${ago(last.completed_at)}` : "No run has succeeded yet",
    `${succeeded} of ${expected} expected runs in 24 h succeeded`,
    `${verdict.runs_failed} error${verdict.runs_failed === 1 ? "" : "s"}`,
    `${verdict.runs_missed} missed`,
    verdict.paused ? "paused in Airflow" : verdict.next_run_at ? `next ${local(verdict.next_run_at).slice(11)}` : null,
  ];
  return h(
    "section",
    { className: `oop ${level}`, "aria-label": "Open orders sync" },
    h("div", { className: "oop-row" }, h("h2", null, "Open orders sync"), h(Links, { verdict })),
    h(
      "p",
      null,
      h("span", { className: "oop-word" }, `${signs[level]} ${headline}`),
      ` · ${facts.filter(Boolean).join(" · ")}`,
    ),
    h(
      "ol",
      { className: "oop-strip", "aria-label": "The last 24 hours, oldest first", onKeyDown: move },
      verdict.cells.map((cell, index) => h(Cell, { key: cell.at, cell, last: index === verdict.cells.length - 1 })),
    ),
    h("ol", { className: "oop-logs", "aria-label": "Last job logs" }, verdict.job_logs.map((log) => h(Log, { key: log.name, log }))),
  );
}

function OpenOrdersPanel() {
  useTick();
  const { verdict, refused, failure } = useVerdict();
  if (verdict) return h(Verdict, { verdict });
  // Who may not read the job logs has no panel.
  if (refused || !failure) return null;
  return h(
    "section",
    { className: "oop red", "aria-label": "Open orders sync" },
    h("div", { className: "oop-row" }, h("h2", null, "Open orders sync"), h(Links, {})),
    h("p", null, h("span", { className: "oop-word" }, `✕ ${failure}`)),
  );
}

addStyles();
globalThis["Open orders sync"] = OpenOrdersPanel;
globalThis.AirflowPlugin = OpenOrdersPanel;
export default OpenOrdersPanel;
