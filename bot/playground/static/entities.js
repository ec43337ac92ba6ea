// Text with entities as DOM nodes: offsets are UTF-16 units, which is how JavaScript counts too.
import { el } from "./dom.js";

const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote" };

const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

const safe = (url) => (/^(https?|mailto|tel|tg):/i.test(url) ? url : "about:blank");

function wrap(entity, text, children, onCommand) {
  if (TAGS[entity.type]) return el(TAGS[entity.type], {}, ...children);
  if (entity.type === "spoiler") return spoiler(children);
  if (entity.type === "text_link" || entity.type === "url" || entity.type === "email") {
    const plain = entity.type === "email" ? `mailto:${text}` : /^https?:/i.test(text) ? text : `https://${text}`;
    return el("a", { href: safe(entity.url || plain), target: "_blank", rel: "noopener noreferrer" }, ...children);
  }
  if (entity.type === "bot_command") {
    return el("button", { type: "button", className: "cmd", on: { click: () => onCommand(text) } }, ...children);
  }
  if (["mention", "hashtag", "text_mention"].includes(entity.type)) return el("span", { className: "cmd" }, ...children);
  return el("span", {}, ...children);
}

function spoiler(children) {
  const node = el("span", { className: "spoiler", role: "button", tabIndex: 0, "aria-label": "Скрытый текст, нажмите, чтобы показать" }, ...children);
  const show = () => {
    node.classList.add("shown");
    for (const name of ["role", "aria-label", "tabindex"]) node.removeAttribute(name);
  };
  node.addEventListener("click", show);
  node.addEventListener("keydown", (event) => event.key === "Enter" && show());
  return node;
}

// Entities are sorted by offset, the longer first; one that crosses its parent's end is cut there.
export function render(text, entities, onCommand) {
  const sorted = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
  let next = 0;
  function walk(from, to) {
    const nodes = [];
    let at = from;
    while (next < sorted.length && sorted[next].offset < to) {
      const entity = sorted[next];
      next += 1;
      const start = Math.max(entity.offset, at);
      const end = Math.min(entity.offset + entity.length, to);
      if (end <= start) continue;
      if (start > at) nodes.push(text.slice(at, start));
      nodes.push(wrap(entity, text.slice(start, end), walk(start, end), onCommand));
      // A block ends its line by itself, as in the app.
      at = BLOCKS.has(entity.type) && text[end] === "\n" && end < to ? end + 1 : end;
    }
    if (at < to) nodes.push(text.slice(at, to));
    return nodes;
  }
  return walk(0, text.length);
}
