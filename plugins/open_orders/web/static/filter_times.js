// The times of the filter, in the zone in which the list shows its times. Without this file they are in UTC, as their
// labels then say.
import { local, zoneName } from "./base.js";

const form = document.querySelector(".filters");
const inputs = [...form.querySelectorAll("input[type=datetime-local]")];

function wallOf(date) {
  return local(date).moment.slice(0, 16).replace(" ", "T");
}

/** Return the moment at which clocks of the zone show a time. */
function momentOf(wall) {
  let moment = new Date(`${wall}Z`);
  // Twice: between the first guess and the moment clocks may have been put forward or back.
  for (let turn = 0; turn < 2; turn += 1) moment = new Date(wall + local(moment).clock.split(" ")[1]);
  return moment.toISOString();
}

for (const input of inputs) {
  form.querySelector(`label[for=${input.id}] > span`).textContent = zoneName();
  if (input.dataset.moment) input.value = wallOf(new Date(input.dataset.moment));
  input.dataset.shown = input.value;
}

form.addEventListener("formdata", ({ formData }) => {
  for (const { name, value, dataset } of inputs) {
    // What was not touched stays what it is, to the second.
    if (value) formData.set(name, value === dataset.shown ? dataset.moment : momentOf(value));
  }
});
