// The level of a verdict on an open page follows the clock: a page that is open all night must not stay green.
import { serverNow } from "./base.js";

const words = { amber: "Late", red: "Not syncing" };
const ranks = { unknown: 0, green: 0, amber: 1, red: 2 };

function tick() {
  for (const part of document.querySelectorAll("[data-amber-at]")) {
    const { amberAt, redAt, level: shown } = part.dataset;
    const now = serverNow();
    const due = now >= Date.parse(redAt) ? "red" : now >= Date.parse(amberAt) ? "amber" : "green";
    if (ranks[due] <= ranks[shown]) continue;
    part.dataset.level = due;
    part.classList.remove(...Object.keys(ranks), "running");
    part.classList.add(due);
    part.querySelector(".level-word span").textContent = words[due];
    part.querySelector(".level-word use").setAttribute("href", due === "red" ? "#i-cross" : "#i-warning");
  }
}

setInterval(() => {
  if (!document.hidden) tick();
}, 1000);
document.addEventListener("visibilitychange", () => document.hidden || tick());
