// Times in Airflow's time zone, relative ones tick. Pages work without this file.

const spans = [[60, 1, "s"], [3600, 60, "min"], [48 * 3600, 3600, "h"]];

// Ages are by the server's clock: a reader's may be wrong, and a wrong one would call a fresh list late.
const pageNow = Date.parse(document.querySelector("meta[name=now]")?.content ?? "");
const skew = Math.abs(pageNow - Date.now()) > 5000 ? pageNow - Date.now() : 0;

/** Return the server's time in milliseconds. */
export function serverNow() {
  return Date.now() + skew;
}

/** Return how long ago something was, as the server writes it. */
export function ago(seconds) {
  const size = Math.abs(seconds);
  if (seconds >= 0 && size < 5) return "just now";
  const [, unit, name] = spans.find(([limit]) => size < limit) ?? [0, 86400, "d"];
  const span = `${Math.floor(size / unit)} ${name}`;
  return seconds < 0 ? `in ${span}` : `${span} ago`;
}

function chosenZone() {
  try {
    // Airflow keeps its settings as JSON.
    return JSON.parse(localStorage.getItem("timezone")) || undefined;
  } catch {
    return undefined;
  }
}

/** Return the name of the zone in which times are shown. */
export function zoneName() {
  return format(chosenZone()).resolvedOptions().timeZone;
}

const formats = new Map();

function format(zone) {
  if (!formats.has(zone)) {
    const options = {
      year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
      hourCycle: "h23", timeZoneName: "longOffset",
    };
    try {
      formats.set(zone, new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }));
    } catch {
      formats.set(zone, new Intl.DateTimeFormat("en-GB", options));
    }
  }
  return formats.get(zone);
}

/** Return a moment as `{clock, moment}`, in the zone chosen in Airflow (else the browser's), the offset printed. */
export function local(date) {
  const parts = Object.fromEntries(format(chosenZone()).formatToParts(date).map(({ type, value }) => [type, value]));
  const offset = parts.timeZoneName.replace("GMT", "") || "+00:00";
  const clock = `${parts.hour}:${parts.minute}:${parts.second} ${offset}`;
  return { clock, moment: `${parts.year}-${parts.month}-${parts.day} ${clock}` };
}

function write(element, text, title) {
  if (element.textContent !== text) element.textContent = text;
  if (element.title !== title) element.title = title;
}

/** Bring all times below an element up to date; call it after adding any. */
export function refreshTimes(root = document) {
  const now = serverNow();
  for (const element of root.querySelectorAll("time[data-show]")) {
    const date = new Date(element.dateTime);
    const age = ago((now - date.getTime()) / 1000);
    const { clock, moment } = local(date);
    if (element.dataset.show === "ago") write(element, age, moment);
    else if (element.dataset.show === "clock") write(element, clock, `${moment}, ${age}`);
    else write(element, moment, age);
  }
}

/** Return our server's answer, whatever its status; an error has the reader's words for its message. */
export async function ask(url, accept) {
  // The second header: no browser should ask for a password of its own when the session has ended.
  const headers = { accept, "x-requested-with": "fetch" };
  let response;
  try {
    response = await fetch(url, { headers, redirect: "error" });
  } catch {
    throw new Error("the web server does not answer");
  }
  if (response.status === 401) throw new Error("you are signed out of Airflow");
  return response;
}

/** Return what our API answers. */
export async function askJson(url) {
  const response = await ask(url, "application/json");
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.title);
  return answer;
}

/** Say that this page is not brought up to date any more, and why; nothing: that it is again. */
function sayOffline(reason) {
  const notice = document.getElementById("offline");
  const text = reason ? `Not brought up to date any more: ${reason}. What you see may be old.` : "";
  notice.hidden = !reason;
  if (notice.lastElementChild.textContent !== text) notice.lastElementChild.textContent = text;
}

/**
 * Call an async function again and again, never twice at once: not while the tab is hidden, at once when it is shown
 * again, and more rarely while it fails. Return {stop, now}; now() calls it without waiting.
 */
export function poll(work, { everyMs }) {
  let timer;
  let busy = false;
  let stopped = false;
  let failures = 0;

  async function turn() {
    clearTimeout(timer);
    if (stopped || busy || document.hidden) return;
    busy = true;
    try {
      await work();
      failures = 0;
      sayOffline("");
    } catch ({ message }) {
      failures = Math.min(failures + 1, 5);
      sayOffline(message);
    }
    busy = false;
    if (!stopped) timer = setTimeout(turn, everyMs * 2 ** failures);
  }

  function shown() {
    if (!document.hidden) turn();
  }

  document.addEventListener("visibilitychange", shown);
  timer = setTimeout(turn, everyMs);
  return {
    now: turn,
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    },
  };
}

/**
 * Let links to Airflow's pages leave Airflow's frame. Its sandbox forbids a page inside to navigate the window around
 * it, but a link of the window's own may, and the frame is of the same origin.
 */
function leaveFrame(event) {
  const link = event.target.closest?.("a[target=_top]");
  if (!link || window.parent === window || event.defaultPrevented || event.button > 1) return;
  let outer;
  try {
    outer = window.parent.document.createElement("a");
  } catch {
    return;
  }
  event.preventDefault();
  outer.href = link.href;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) outer.target = "_blank";
  window.parent.document.body.append(outer);
  outer.click();
  outer.remove();
}

document.addEventListener("click", leaveFrame);
document.addEventListener("auxclick", leaveFrame);
refreshTimes();
setInterval(() => {
  if (!document.hidden) refreshTimes();
}, 1000);
document.addEventListener("visibilitychange", () => refreshTimes());
