// Talks to the people API. Knows no DOM.
const BASE = "/playground/api/";

async function read(answer) {
  const body = await answer.json().catch(() => ({ error: "Сервер не отвечает" }));
  if (!answer.ok) throw new Error(body.error || "Не получилось");
  return body;
}

export async function get(what, query = {}) {
  return read(await fetch(`${BASE}${what}?${new URLSearchParams(query)}`));
}

export async function post(what, body) {
  const headers = { "Content-Type": "application/json" };
  return read(await fetch(BASE + what, { method: "POST", headers, body: JSON.stringify(body) }));
}

export async function attach(fields) {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  return read(await fetch(`${BASE}attach`, { method: "POST", body: form }));
}

export const fileUrl = (id) => `/playground/files/${encodeURIComponent(id)}`;

// Server-sent events from `after` on; the browser reconnects by itself and names the last event it saw.
export function listen(person, after, heard) {
  const source = new EventSource(`${BASE}events?${new URLSearchParams({ person, after })}`);
  source.onmessage = (message) => heard(JSON.parse(message.data));
  return () => source.close();
}
