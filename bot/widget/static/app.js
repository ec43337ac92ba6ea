// The operators' desk: a question comes, answers are shown blind, picked, edited, copied, marked; what is said of them
// goes out through the outbox. Knows a short-lived token and no model's name; who the host is, the entry script knows.
import { Card, CRITERIA } from "./card.js";
import { by, make } from "./dom.js";
import { listen } from "./keys.js";
import { Knowledge } from "./knowledge.js";
import { Outbox, freshKey } from "./outbox.js";
import { WORDS } from "./words.js";

const TOLD = ["question", "messages", "emotion", "intensity", "persona", "client", "task", "articles"];
const MOST_ARTICLES = 5; // of a request
const LATER = [408, 409, 429];

// `api`: where the server is ("" for the page's own), `tell`: sends a message to the host.
export function start({ api, lang, tell }) {
  return new Desk(api, WORDS[lang], lang, tell);
}

class Desk {
  constructor(api, T, lang, tell) {
    Object.assign(this, { api, T, tell, token: "", asked: null, cards: [], undo: [], waiting: null });
    this.outbox = new Outbox((letter, leaving) => this.deliver(letter, leaving), (count, outcome) => this.news(count, outcome));
    this.articles = new Knowledge(T, (path) => this.call("GET", path), () => this.ask(true));
    document.documentElement.lang = lang;
    document.title = T.title;
    for (const name of ["title", "help", "again"]) by(name).textContent = T[name];
    by("asked-title").textContent = T.question;
    by("undo").textContent = `${T.undo} (Ctrl+Z)`;
    by("keys").append(...T.keys.map(([key, what]) => make("div", {}, make("dt", { textContent: key }), make("dd", { textContent: what }))));
    by("help").onclick = () => this.help();
    by("undo").onclick = () => this.back();
    by("again").onclick = () => this.ask();
    this.say(T.waiting);
    listen(this);
  }

  say(text) {
    by("state").textContent = text;
  }

  focus() {
    (this.cards[0]?.node ?? by("question")).focus();
  }

  session(token) {
    this.token = token;
    this.outbox.wake();
    this.articles.look();
    if (this.asked && !this.cards.length) this.ask();
  }

  question(told) {
    this.asked = Object.fromEntries(TOLD.filter((name) => told[name] !== undefined).map((name) => [name, told[name]]));
    this.articles.clear();
    this.ask(true);
  }

  call(method, path, body, more = {}) {
    const { key, ...rest } = more;
    const headers = { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" };
    if (key) headers["Idempotency-Key"] = key;
    return fetch(this.api + path, { method, headers, body: body && JSON.stringify(body), cache: "no-store", ...rest });
  }

  expired() {
    this.token = "";
    this.tell({ type: "otklik.expired" });
  }

  // The question with what the operator attached. `anew`: another question, not the same one tried again.
  async ask(anew = false) {
    const { asked, T } = this;
    if (anew) asked.key = freshKey();
    this.waiting?.abort();
    this.waiting = new AbortController();
    const mine = this.waiting;
    this.show([]);
    this.unsure("");
    by("asked").hidden = false;
    by("question").textContent = words(asked);
    if (!this.token) return this.say(T.noSession);
    this.say(T.thinking);
    try {
      const { key, ...body } = asked;
      body.articles = [...this.articles.attached, ...(asked.articles ?? [])].slice(0, MOST_ARTICLES);
      const answer = await this.call("POST", "/v1/suggestions", body, { key, signal: mine.signal });
      const told = await answer.json();
      if (mine !== this.waiting) return;
      if (!answer.ok) console.warn(`otklik: ${told.detail}`); // for whoever puts this into a page
      this.answered(answer.status, answer.ok ? told : null);
    } catch {
      if (mine === this.waiting) this.unsure(T.offline);
    }
  }

  answered(status, told) {
    const { T } = this;
    if (status === 401) {
      this.say(T.noSession);
      return this.expired();
    }
    if (!told) return this.unsure(LATER.includes(status) || status >= 500 ? T.busy : T.failed + status);
    this.say(told.crisis ?? (told.failed ? T.fewer : ""));
    this.show(told.suggestions, told.id);
  }

  // Something went wrong that another try may mend.
  unsure(text) {
    this.say(text);
    by("again").hidden = !text;
  }

  show(suggestions, id = 0) {
    this.undo = [];
    this.turn = id;
    const on = {
      pick: (card) => this.pick(card),
      copy: (card) => this.copy(card),
      mark: (card, criterion, value) => this.mark(card, criterion, value),
    };
    this.cards = suggestions.map((given) => new Card(given, this.T, on));
    by("answers").replaceChildren(...this.cards.map((card) => card.node));
    // An operator who writes elsewhere on the host page is left alone.
    if (document.hasFocus() && document.activeElement === document.body) this.cards[0]?.node.focus();
  }

  pick(card) {
    if (card.editing) card.edit();
    const before = this.cards.find((one) => one.picked && one !== card);
    this.choose(card);
    this.undo.push({ name: this.choice, restore: () => {
      card.paint(false);
      this.tell({ type: "otklik.undo", request_id: card.given.request_id });
      if (before) this.choose(before);
    } });
    this.news(this.outbox.letters.length, "");
  }

  get choice() {
    return `choice ${this.turn}`;
  }

  choose(card) {
    const body = { request_id: card.given.request_id };
    if (this.cards.length > 1) body.chosen = true;
    if (card.changed) body.correction = card.text;
    if (!body.chosen && !body.correction) body.thumb = 1;
    this.cards.forEach((one) => one.paint(one === card));
    this.tell({ type: "otklik.answer", text: card.text, request_id: card.given.request_id, edited: card.changed });
    this.outbox.put(this.choice, "/v1/ratings", body);
    this.say(`${this.T.taken} ${card.given.letter}`);
  }

  // All marks of an answer travel together while they can.
  mark(card, criterion, value) {
    const name = `marks ${card.given.request_id}`;
    const before = { ...card.stars };
    const send = () => this.outbox.put(name, "/v1/ratings", { request_id: card.given.request_id, stars: { ...card.stars } });
    card.stars[criterion] = value;
    send();
    this.undo.push({ name, restore: () => {
      card.stars = before;
      card.turn(CRITERIA.indexOf(criterion));
      if (Object.keys(before).length) send();
      card.paint();
    } });
    card.paint();
    this.news(this.outbox.letters.length, "");
  }

  digit(card, value) {
    const place = card.now;
    this.mark(card, CRITERIA[place], value);
    if (document.activeElement === card.node) card.turn(place + 1);
  }

  async copy(card) {
    const text = card.editing ? card.box.value : card.text;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyByHand(text);
      card.node.focus();
    }
    this.say(`${this.T.copied} ${card.given.letter}`);
  }

  // Undo the last deed that has not left yet.
  back() {
    const last = this.undo.pop();
    if (!last || !this.outbox.take(last.name)) return;
    const others = this.undo; // of the same letter, which is written anew
    last.restore();
    this.undo = others;
    this.say(this.T.undone);
    this.news(this.outbox.letters.length, "");
  }

  help() {
    by("keys").hidden = !by("keys").hidden;
    by("help").setAttribute("aria-expanded", String(!by("keys").hidden));
  }

  search() {
    return this.articles.open();
  }

  async deliver(letter, leaving) {
    if (!this.token) return "expired";
    const answer = await this.call("POST", letter.path, letter.body, { key: letter.key, keepalive: leaving });
    if (answer.ok) return "sent";
    if (answer.status === 401) {
      this.expired();
      return "expired";
    }
    return LATER.includes(answer.status) || answer.status >= 500 ? "later" : "refused";
  }

  news(count, outcome) {
    const { T } = this;
    this.undo = this.undo.filter((one) => this.outbox.held(one.name));
    by("undo").hidden = !this.undo.length;
    if (outcome === "refused") this.say(T.refused);
    by("queue").textContent = count ? (T[outcome] ?? T.queued) + count : outcome === "sent" ? T.saved : "";
  }
}

function words(asked) {
  const last = (asked.messages ?? []).filter((one) => one.role === "user").at(-1);
  return String(asked.question ?? last?.content ?? "");
}

// Where the host page did not give the frame the clipboard.
function copyByHand(text) {
  const box = make("textarea", { value: text });
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}
