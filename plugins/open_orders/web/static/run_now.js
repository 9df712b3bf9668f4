// Run now: asks for the DAG's Params and triggers through Airflow's own API, with the rights of who is signed in.
// Without this file the button leads to the DAG's page, which has Airflow's own form.

const dialog = document.getElementById("run-dialog");
const fields = dialog.querySelector(".run-fields");
const problem = dialog.querySelector(".run-problem");
const submit = dialog.querySelector("[type=submit]");

function target() {
  return document.getElementById("live-run-now").dataset;
}

async function call(path, options = {}) {
  const headers = { accept: "application/json", ...(options.body ? { "content-type": "application/json" } : {}) };
  const response = await fetch(`${target().api}/dags/${encodeURIComponent(target().dag)}${path}`, { ...options, headers });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const detail = typeof answer.detail === "string" ? answer.detail : JSON.stringify(answer.detail ?? "");
    throw new Error(`Airflow answered ${response.status}: ${detail}`);
  }
  return answer;
}

function types(schema) {
  return [schema.type].flat();
}

function input(name, { value, schema }) {
  const made = document.createElement("input");
  made.id = `param-${name}`;
  made.name = name;
  if (types(schema).includes("boolean")) {
    made.type = "checkbox";
    made.checked = Boolean(value);
  } else if (types(schema).some((type) => type === "integer" || type === "number")) {
    made.type = "number";
    made.step = types(schema).includes("number") ? "any" : "1";
    if (schema.minimum !== undefined) made.min = schema.minimum;
    if (schema.maximum !== undefined) made.max = schema.maximum;
    made.required = !types(schema).includes("null");
    made.value = value ?? "";
  } else {
    made.type = "text";
    made.value = typeof value === "string" ? value : JSON.stringify(value ?? null);
    made.dataset.json = typeof value === "string" ? "" : "1";
  }
  return made;
}

function field(name, param) {
  const made = document.createElement("div");
  const control = input(name, param);
  made.className = control.type === "checkbox" ? "field check" : "field";
  const label = document.createElement("label");
  label.htmlFor = control.id;
  label.textContent = param.schema.title ?? name;
  const hint = document.createElement("small");
  hint.id = `${control.id}-hint`;
  hint.textContent = param.description ?? param.schema.description ?? "";
  control.setAttribute("aria-describedby", hint.id);
  made.append(...(control.type === "checkbox" ? [control, label, hint] : [label, control, hint]));
  return made;
}

function value(control) {
  if (control.type === "checkbox") return control.checked;
  if (control.type === "number") return control.value === "" ? null : Number(control.value);
  return control.dataset.json ? JSON.parse(control.value) : control.value;
}

function show(error) {
  problem.textContent = error ? error.message : "";
  problem.hidden = !error;
}

async function open(event) {
  const link = event.target.closest("#live-run-now a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  fields.textContent = "Asking Airflow for the parameters …";
  show(null);
  submit.disabled = true;
  dialog.showModal();
  try {
    const { params } = await call("/details");
    fields.replaceChildren(...Object.entries(params ?? {}).map(([name, param]) => field(name, { ...param, schema: param.schema ?? {} })));
    submit.disabled = false;
  } catch (error) {
    fields.textContent = "";
    show(error);
  }
}

async function run(event) {
  event.preventDefault();
  submit.disabled = true;
  show(null);
  try {
    const conf = Object.fromEntries([...fields.querySelectorAll("input")].map((control) => [control.name, value(control)]));
    await call("/dagRuns", { method: "POST", body: JSON.stringify({ logical_date: null, conf }) });
    dialog.close();
    document.dispatchEvent(new Event("run-triggered"));
  } catch (error) {
    show(error);
  }
  submit.disabled = false;
}

// Before base.js leads the link out of Airflow's frame.
document.addEventListener("click", open, { capture: true });
dialog.querySelector("form").addEventListener("submit", run);
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
