// The list of messages of the open chat: order, days, scrolling. Knows no server.
import { $, day, el } from "./dom.js";
import { row } from "./bubbles.js";

const SOON = 300;

export class Log {
  constructor(acts) {
    this.acts = acts;
    this.messages = [];
    this.group = false;
    $("log").addEventListener("scroll", () => { $("down").hidden = this.atEnd(); });
    $("down").addEventListener("click", () => this.toEnd(true));
    new ResizeObserver(() => { if (this.sticking) this.toEnd(); }).observe($("log"));
    $("messages").addEventListener("load", () => { if (this.sticking) this.toEnd(); }, true);
  }

  get sticking() { return $("down").hidden; }

  atEnd() { const log = $("log"); return log.scrollHeight - log.scrollTop - log.clientHeight < 60; }

  toEnd(smooth = false) {
    $("log").scrollTo({ top: $("log").scrollHeight, behavior: smooth ? "smooth" : "instant" });
    $("down").hidden = true;
  }

  open(messages, group, empty) {
    this.messages = messages;
    this.group = group;
    this.empty = empty;
    this.draw();
    this.toEnd();
  }

  add(message) {
    if (this.messages.some((one) => one.id === message.id)) return;
    const follow = this.atEnd() || message.sender.id === this.acts.me();
    this.messages.push(message);
    this.draw();
    const node = $(`m${message.id}`);
    node.classList.add("fresh");
    node.addEventListener("animationend", () => node.classList.remove("fresh"), { once: true });
    if (follow) this.toEnd();
    else $("down").hidden = false;
  }

  change(message) {
    const at = this.messages.findIndex((one) => one.id === message.id);
    if (at < 0) return;
    const follow = this.atEnd();
    this.messages[at] = message;
    this.draw();
    if (follow) this.toEnd();
  }

  remove(id) {
    this.messages = this.messages.filter((one) => one.id !== id);
    this.draw();
  }

  // Rows are rebuilt only where the message, its neighbourhood or who looks changed, so that focus and spoilers stay; the others
  // do not leave the page even for a moment: their animations would begin anew.
  draw() {
    const old = new Map([...$("messages").children].filter((node) => node.signature).map((node) => [node.signature, node]));
    const nodes = [];
    this.messages.forEach((message, at) => {
      const before = this.messages[at - 1];
      const after = this.messages[at + 1];
      const title = day(message.date);
      const newDay = !before || day(before.date) !== title;
      if (newDay) {
        const separator = old.get(title) ?? el("div", { className: "day", role: "separator", "aria-label": title }, el("span", {}, title));
        separator.signature = title;
        nodes.push(separator);
      }
      const place = { joined: !newDay && near(before, message), last: !after || day(after.date) !== title || !near(message, after), group: this.group, me: this.acts.me() };
      const signature = JSON.stringify([message, place]);
      const node = old.get(signature) ?? row(message, place, this.acts);
      node.signature = signature;
      nodes.push(node);
    });
    if (!nodes.length && this.empty) nodes.push(el("div", { className: "empty" }, el("b", {}, this.empty.title), this.empty.text));
    const focused = document.activeElement?.closest?.(".row")?.id;
    const list = $("messages");
    const kept = new Set(nodes);
    for (const node of [...list.children]) if (!kept.has(node)) node.remove();
    nodes.forEach((node, at) => { if (list.children[at] !== node) list.insertBefore(node, list.children[at] ?? null); });
    if (focused && !document.activeElement?.closest?.(".row")) $(focused)?.focus({ preventScroll: true });
  }

  jump(id) {
    const node = $(`m${id}`);
    if (!node) return;
    node.scrollIntoView({ block: "center", behavior: "smooth" });
    node.classList.remove("flash");
    requestAnimationFrame(() => node.classList.add("flash"));
  }

  step(node, by) {
    const rows = [...$("messages").querySelectorAll(".row")];
    (rows[rows.indexOf(node) + by] ?? $("text")).focus();
  }

  lastOf(person) { return this.messages.filter((one) => one.sender.id === person && !one.media).at(-1); }
}

const near = (one, other) => one.sender.id === other.sender.id && other.date - one.date < SOON;
