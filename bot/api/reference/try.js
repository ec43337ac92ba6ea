// Sends a form of the page to the endpoint that it stands under, with the key from the top, and shows what comes back.
async function send(form) {
  const place = form.querySelector("pre");
  const query = new URLSearchParams();
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("input[data-place]")) {
    if (input.dataset.place === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(input.name, input.value);
  }
  const headers = {};
  const key = document.getElementById("key").value.trim();
  if (key) headers.Authorization = `Bearer ${key}`;
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  place.hidden = false;
  place.textContent = "…";
  try {
    const address = query.size ? `${path}?${query}` : path;
    const answer = await fetch(address, { method: form.dataset.method, headers, body, credentials: "omit" });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* a stream, or no JSON: shown as it is */ }
    place.textContent = `${answer.status} ${answer.statusText}\n\n${shown}`;
  } catch (fault) {
    place.textContent = `No answer: ${fault.message}`;
  }
}

for (const form of document.querySelectorAll("form.try")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
if (location.hash) document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
