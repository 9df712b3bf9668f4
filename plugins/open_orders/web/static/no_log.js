// A run that has not opened its job log yet: show the log as soon as there is one.
import { poll } from "./base.js";
import { askThisPage } from "./live.js";

const polling = poll(async () => {
  const fresh = await askThisPage();
  if (!fresh.getElementById("no-log")) location.reload();
}, { everyMs: 5000 });
// A run opens its log within seconds, or it waits, or never will: whoever still wants to know reloads the page.
setTimeout(polling.stop, 300_000);
