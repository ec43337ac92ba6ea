// Follows a refit: stage, bar, numbers, and the loss as a line while the page is open.
const place = document.getElementById("job");
const words = new Map(
  [...document.getElementById("stages").content.querySelectorAll("[data-state]")].map((one) => [one.dataset.state, one.textContent]),
);
const losses = [];
const open = ["queued", "preparing", "training", "evaluating"];

function draw() {
  const figure = document.getElementById("live");
  if (losses.length < 2) return;
  figure.hidden = false;
  const steps = losses.map(([step]) => step);
  const values = losses.map(([, loss]) => loss);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (step) => 10 + (620 * (step - steps[0])) / Math.max(1, steps.at(-1) - steps[0]);
  const y = (loss) => 10 + (160 * (high - loss)) / Math.max(1e-9, high - low);
  document.getElementById("loss").setAttribute("points", losses.map(([s, l]) => `${x(s).toFixed(1)},${y(l).toFixed(1)}`).join(" "));
}

function show(job) {
  document.getElementById("stage").textContent = words.get(job.state) ?? job.state;
  document.getElementById("bar").value = job.steps ? job.step / job.steps : 0;
  const parts = [];
  if (job.steps) parts.push(`шаг ${job.step} из ${job.steps}`);
  if (job.loss !== null) parts.push(`потери ${job.loss.toFixed(3)}`);
  if (job.eta_seconds !== null && open.includes(job.state)) parts.push(`осталось ≈ ${Math.max(1, Math.round(job.eta_seconds / 60))} мин`);
  document.getElementById("numbers").textContent = parts.join(", ");
  if (job.loss !== null && job.step !== null && losses.at(-1)?.[0] !== job.step) losses.push([job.step, job.loss]);
  draw();
}

if (open.includes(place.dataset.state)) {
  const source = new EventSource(place.dataset.events);
  source.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    show(job);
    if (!open.includes(job.state)) {
      source.close();
      location.reload();
    }
  });
}
