// A run that has not opened its job log yet: show the log as soon as there is one.
import { poll } from "./base.js";
import { fetchPage } from "./live.js";

poll(async () => {
  const fresh = await fetchPage();
  if (!fresh.getElementById("no-log")) location.reload();
}, { everyMs: 5000 });
