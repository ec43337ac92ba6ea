// Small pieces of the page: elements, avatars, times. User text only ever becomes a text node.
export const $ = (id) => document.getElementById(id);

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key === "on") for (const [name, handler] of Object.entries(value)) node.addEventListener(name, handler);
    else if (key in node && key !== "role") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const tone = (id) => `c${Math.abs(id) % 7}`;

export function avatar(face, small = false) {
  const letters = face.name.split(/\s+/).filter(Boolean).slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();
  return el("span", { className: `avatar ${tone(face.id)}${small ? " small" : ""}`, "aria-hidden": "true" }, letters || "?");
}

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("ru", { hour: "2-digit", minute: "2-digit" });

export function day(seconds) {
  const then = new Date(seconds * 1000);
  const now = new Date();
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(then).setHours(0, 0, 0, 0)) / 864e5);
  if (days === 0) return "Сегодня";
  if (days === 1) return "Вчера";
  const year = then.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return then.toLocaleDateString("ru", { day: "numeric", month: "long", year });
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} Б`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} КБ` : `${(bytes / 1048576).toFixed(1)} МБ`;
}

export const NAMES = { photo: "Фотография", sticker: "Стикер", voice: "Голосовое сообщение", document: "Файл", gone: "Удалённое сообщение" };

export const snippet = (message) => message.text || (message.media ? `${message.media.emoji} ${NAMES[message.media.kind]}`.trim() : "");
