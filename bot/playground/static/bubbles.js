// One message as a row of the log. Knows no server: everything pressed goes to `acts`.
import { NAMES, avatar, clock, el, size, tone } from "./dom.js";
import { fileUrl } from "./api.js";
import { render } from "./entities.js";

function media(message) {
  const { kind, file_id: id, name, size: bytes, duration, emoji, width, height } = message.media;
  if (kind === "photo") return el("img", { className: "photo", src: fileUrl(id), alt: name || NAMES.photo, width, height, loading: "lazy" });
  if (kind === "sticker") return el("span", { className: "sticker", role: "img", "aria-label": `Стикер ${emoji}` }, emoji || "🖼");
  if (kind === "voice") {
    const wave = el("span", { className: "wave", "aria-hidden": "true" }, ...Array.from({ length: 26 }, () => el("b")));
    const time = `${Math.floor(duration / 60)}:${String(duration % 60).padStart(2, "0")}`;
    return el("div", { className: "file", "aria-label": `${NAMES.voice}, ${time}` }, el("i", {}, "▶"), el("span", {}, wave, el("small", {}, time)));
  }
  return el("a", { className: "file", href: fileUrl(id), download: name }, el("i", {}, "📄"), el("span", {}, name, el("small", {}, size(bytes))));
}

function quote(reply, acts) {
  const text = reply.text || NAMES[reply.kind] || "";
  const label = `В ответ на: ${reply.name} ${text}`;
  return el("button", { type: "button", className: "quote", "aria-label": label, on: { click: () => acts.jump(reply.id) } },
    reply.name ? el("b", {}, reply.name) : null, el("span", {}, text));
}

function chips(message, acts) {
  const counts = new Map();
  for (const { person, emoji } of message.reactions) counts.set(emoji, [...(counts.get(emoji) ?? []), person]);
  if (!counts.size) return null;
  return el("div", { className: "chips", role: "group", "aria-label": "Реакции" }, ...[...counts].map(([emoji, who]) => {
    const mine = who.includes(acts.me());
    const label = `${emoji}: ${who.map(acts.nameOf).join(", ")}`;
    return el("button", { type: "button", className: "chip", "aria-pressed": String(mine), "aria-label": label, title: label, "data-emoji": emoji,
      on: { click: () => acts.react(message, emoji) } }, el("span", {}, emoji), String(who.length));
  }));
}

function keys(message, acts) {
  if (!message.keyboard.length) return null;
  return el("div", { className: "keys", role: "group", "aria-label": "Кнопки под сообщением" }, ...message.keyboard.map((row) =>
    el("div", { className: "line" }, ...row.map((button) => {
      if (button.url && /^https?:/i.test(button.url)) {
        return el("a", { className: "key link", href: button.url, target: "_blank", rel: "noopener noreferrer" }, button.text);
      }
      return el("button", { type: "button", className: "key", on: { click: (event) => acts.press(message, button, event.currentTarget) } }, button.text);
    }))));
}

export function row(message, { joined, last, group }, acts) {
  const mine = message.sender.id === acts.me();
  const shown = group && !mine;
  const rank = acts.rankOf(message.sender.id);
  const bare = message.media?.kind === "sticker" && !message.text;
  const meta = el("span", { className: "meta" }, `${message.edited ? "изменено " : ""}${clock(message.date)}${mine ? " ✓✓" : ""}`);
  const bubble = el("div", { className: `bubble${bare ? " bare" : ""}` },
    shown && !joined ? el("div", { className: `name ${tone(message.sender.id)}` }, message.sender.name, rank ? el("small", {}, rank) : null) : null,
    message.reply_to ? quote(message.reply_to, acts) : null,
    message.media ? media(message) : null,
    message.text ? el("span", { className: "words" }, ...render(message.text, message.entities, acts.command)) : null,
    meta, chips(message, acts));
  const face = shown ? (last ? avatar(message.sender, true) : el("span", { className: "gap" })) : null;
  const label = `${mine ? "Вы" : message.sender.name}, ${clock(message.date)}`;
  const more = el("button", { type: "button", className: "more", "aria-label": "Реакция и действия", title: "Реакция и действия", "aria-haspopup": "menu",
    on: { click: () => { const box = more.getBoundingClientRect(); acts.menu(message, { x: box.left, y: box.bottom + 4 }, more); } } }, "🙂");
  const node = el("article", { className: `row${mine ? " mine" : ""}${joined ? " joined" : ""}${last ? " last" : ""}`, id: `m${message.id}`, tabIndex: -1, "aria-label": label },
    face, el("div", { className: "stack" }, el("div", { className: "held" }, bubble, more), keys(message, acts)));
  const menu = (event, x, y) => { event.preventDefault(); acts.menu(message, { x, y }, node); };
  bubble.addEventListener("contextmenu", (event) => menu(event, event.clientX, event.clientY));
  bubble.addEventListener("dblclick", () => acts.react(message, "❤"));
  node.addEventListener("keydown", (event) => {
    if (event.target !== node) return;
    const box = bubble.getBoundingClientRect();
    if (event.key === "Enter" || event.key === "ContextMenu") menu(event, box.left + 20, box.top + 20);
    const near = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (near) { event.preventDefault(); acts.step(node, near); }
  });
  press(bubble, (event) => menu(event, event.clientX, event.clientY));
  return node;
}

// A long press is the phone's way to the menu.
function press(node, held) {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  node.addEventListener("pointerdown", (event) => { if (event.pointerType === "touch") timer = setTimeout(() => held(event), 450); });
  for (const name of ["pointerup", "pointercancel", "pointermove"]) node.addEventListener(name, stop);
}
