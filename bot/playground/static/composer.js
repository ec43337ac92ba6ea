// The place to write: text, replies, edits, the «/» menu, attachments, the bot's own keyboard.
import { $, el, snippet } from "./dom.js";
import { openMenu, toast } from "./overlays.js";

// As the apps do: what one message cannot hold is sent as several, cut where a line or a word ends.
const LONGEST = 4096;
const LONGEST_CAPTION = 1024;

function pieces(text) {
  const found = [];
  let rest = text;
  while (rest.length > LONGEST) {
    const held = rest.slice(0, LONGEST + 1);
    const cut = [held.lastIndexOf("\n"), held.lastIndexOf(" ")].find((at) => at > LONGEST / 2);
    // Half an emoji is none.
    const hard = /[\ud800-\udbff]/.test(held[LONGEST - 1]) ? LONGEST - 1 : LONGEST;
    found.push(rest.slice(0, cut ?? hard).trim());
    rest = rest.slice(cut ?? hard).trim();
  }
  return [...found, rest];
}

const STICKERS = ["😀", "😂", "😍", "😢", "😡", "😱", "🤔", "👋", "🎉", "🐱", "🐶", "🌧"];

export class Composer {
  constructor(acts) {
    this.acts = acts;
    this.mode = null;
    this.commands = [];
    this.chosen = 0;
    $("composer").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    $("text").addEventListener("input", () => this.typed());
    $("text").addEventListener("keydown", (event) => this.key(event));
    $("slash").addEventListener("click", () => { $("text").value = "/"; this.typed(); $("text").focus(); });
    $("attach").addEventListener("click", (event) => this.attachMenu(event.currentTarget));
    $("file").addEventListener("change", () => this.chosenFile());
    $("wide").addEventListener("click", () => this.acts.wide());
  }

  open({ commands, reply_keyboard: keyboard, blocked }, { empty, name, group }) {
    this.commands = commands;
    this.group = group;
    this.cancel();
    this.keyboard(keyboard);
    this.state(blocked, empty);
    $("slash").hidden = !commands.length;
    $("text").placeholder = group ? "Сообщение в группу" : `Сообщение для ${name}`;
  }

  state(blocked, empty) {
    $("wide").hidden = !blocked && !empty;
    $("composer").hidden = blocked;
    $("wide").textContent = blocked ? "Разблокировать" : "Запустить";
  }

  keyboard(markup) {
    const box = $("reply-keyboard");
    box.hidden = !markup?.keyboard;
    box.replaceChildren(...(markup?.keyboard ?? []).map((row) => el("div", { className: "line" }, ...row.map((button) =>
      el("button", { type: "button", on: { click: () => this.acts.send(button.text, null) } }, button.text)))));
  }

  reply(message) { this.context({ kind: "reply", message }, `Ответ: ${message.sender.name}`); }

  edit(message) {
    this.context({ kind: "edit", message }, "Изменение");
    $("text").value = message.text;
    this.typed();
  }

  context(mode, title) {
    this.mode = mode;
    $("context").hidden = false;
    $("context").replaceChildren(
      el("div", { className: "what" }, el("b", {}, title), el("span", {}, snippet(mode.message))),
      el("button", { type: "button", className: "icon", "aria-label": "Отменить", on: { click: () => this.cancel() } }, "✕"));
    $("text").focus();
  }

  cancel() {
    if (this.mode?.kind === "edit") $("text").value = "";
    this.mode = null;
    $("context").hidden = true;
    this.typed();
  }

  async submit() {
    const text = $("text").value.trim();
    if (!text) return;
    const mode = this.mode;
    $("text").value = "";
    this.mode = null;
    this.cancel();
    let left = mode?.kind === "edit" ? [text] : pieces(text);
    for (const piece of [...left]) {
      const done = mode?.kind === "edit" ? await this.acts.edit(mode.message, piece) : await this.acts.send(piece, mode?.message.id ?? null);
      if (!done) break;
      left = left.slice(1);
    }
    if (left.length && !$("text").value) { $("text").value = left.join(" "); this.typed(); }
  }

  typed() {
    const area = $("text");
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
    const word = /^\/(\w*)$/.exec(area.value);
    const found = word ? this.commands.filter((one) => one.command.startsWith(word[1])) : [];
    this.chosen = 0;
    $("commands").hidden = !found.length;
    $("commands").replaceChildren(...found.map((one, at) => el("li", { role: "option", id: `c${at}`, "aria-selected": String(at === 0), on: { click: () => this.run(one) } },
      el("b", {}, `/${one.command}`), el("span", {}, one.description))));
  }

  run(command) {
    const answered = this.mode?.kind === "reply" ? this.mode.message.id : null;
    $("text").value = "";
    this.cancel();
    this.acts.send(`/${command.command}${this.group ? `@${command.bot}` : ""}`, answered);
    $("text").focus();
  }

  key(event) {
    const items = [...$("commands").children];
    const open = !$("commands").hidden;
    if (open && event.key === "Tab") {
      // Into the box, for commands that take words.
      event.preventDefault();
      $("text").value = `${items[this.chosen].querySelector("b").textContent} `;
      this.typed();
    } else if (open && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      this.chosen = (this.chosen + (event.key === "ArrowUp" ? -1 : 1) + items.length) % items.length;
      items.forEach((item, at) => item.setAttribute("aria-selected", String(at === this.chosen)));
      items[this.chosen].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (open) items[this.chosen].click();
      else this.submit();
    } else if (event.key === "Escape") {
      if (open) $("commands").hidden = true;
      else this.cancel();
    } else if (event.key === "ArrowUp" && !$("text").value) {
      const last = this.acts.lastMine();
      if (last) { event.preventDefault(); this.edit(last); }
    }
  }

  attachMenu(button) {
    const box = button.getBoundingClientRect();
    const pick = (kind, accept) => { $("file").accept = accept; $("file").dataset.kind = kind; $("file").click(); };
    openMenu({ x: box.right - 190, y: box.top - 200 }, [
      { icon: "🖼", text: "Фотография", run: () => pick("photo", "image/png,image/jpeg,image/webp,image/gif") },
      { icon: "📄", text: "Файл", run: () => pick("document", "") },
      { icon: "🙂", text: "Стикер", run: () => this.stickers(button) },
      { icon: "🎤", text: "Голосовое (без звука)", run: () => this.acts.attach({ kind: "voice", duration: 4 }) },
    ], null, button);
  }

  stickers(button) {
    const box = button.getBoundingClientRect();
    openMenu({ x: box.right - 260, y: box.top - 100 }, [], { all: STICKERS, mine: [], pick: (emoji) => this.acts.attach({ kind: "sticker", emoji }) }, button);
  }

  async chosenFile() {
    const [file] = $("file").files;
    const caption = $("text").value;
    const fits = caption.trim().length <= LONGEST_CAPTION;
    if (!fits) toast(`Подпись слишком длинная: в неё помещается ${LONGEST_CAPTION} символов`);
    const done = file && fits && await this.acts.attach({ kind: $("file").dataset.kind, file, caption });
    if (done && $("text").value === caption) $("text").value = "";
    $("file").value = "";
    this.typed();
  }
}
