// Articles of the knowledge base: found, attached to the question, removed. Hidden where the server has none.
import { by, make } from "./dom.js";

const MOST = 3;

export class Knowledge {
  // `get(path)` asks the server, `again()` asks the question anew with what is attached.
  constructor(T, get, again) {
    Object.assign(this, { T, get, again, attached: [], round: 0 });
    const button = (text, act) => make("button", { type: "button", textContent: text, onclick: act });
    this.box = make("input", { type: "search", ariaLabel: T.search, placeholder: T.search, maxLength: 200 });
    this.found = make("ul", { className: "found" });
    this.list = make("ul", { className: "attached", ariaLabel: T.attached });
    this.state = make("p", { className: "soft" });
    this.state.setAttribute("role", "status");
    this.asker = button(T.ask, () => this.again());
    const form = make("form", { onsubmit: (event) => (event.preventDefault(), this.find()) }, this.box, make("button", { textContent: T.find }));
    form.setAttribute("role", "search");
    const summary = make("summary", { id: "knowledge-title", textContent: T.knowledge });
    this.whole = make("details", {}, summary, form, this.state, this.list, this.asker, this.found);
    by("knowledge").append(this.whole);
    this.paint();
  }

  // Whether there is anything to search.
  async look() {
    try {
      const answer = await this.get("/v1/knowledge");
      by("knowledge").hidden = !(answer.ok && (await answer.json()).total);
    } catch {
      by("knowledge").hidden = true;
    }
  }

  open() {
    if (by("knowledge").hidden) return false;
    this.whole.open = true;
    this.box.focus();
    return true;
  }

  clear() {
    this.attached = [];
    this.asker.hidden = true;
    this.found.replaceChildren();
    this.state.textContent = "";
    this.paint();
  }

  async find() {
    const mine = ++this.round;
    const asked = this.box.value.trim();
    if (!asked) return;
    let found = [];
    try {
      const answer = await this.get(`/v1/knowledge?q=${encodeURIComponent(asked)}`);
      if (answer.ok) found = (await answer.json()).articles;
    } catch {
      this.state.textContent = this.T.offline;
      return;
    }
    if (mine !== this.round) return;
    this.state.textContent = found.length ? "" : this.T.nothing;
    this.found.replaceChildren(...found.map((one) => this.line(one, this.T.attach, () => this.attach(one), one.text)));
  }

  line(article, deed, act, text = "") {
    const button = make("button", { type: "button", textContent: deed, ariaLabel: `${deed}: ${article.title}`, onclick: act });
    const told = make("div", {}, make("strong", { textContent: article.title }));
    if (text) told.append(make("p", { className: "soft", textContent: text }));
    return make("li", {}, told, button);
  }

  attach(article) {
    const known = this.attached.some((one) => one.title === article.title && one.text === article.text);
    if (known) return;
    if (this.attached.length >= MOST) return void (this.state.textContent = this.T.full);
    this.change([...this.attached, { title: article.title, text: article.text }]);
  }

  change(attached) {
    this.attached = attached;
    this.asker.hidden = false;
    this.asker.textContent = attached.length ? this.T.ask : this.T.without;
    this.paint();
  }

  paint() {
    this.list.hidden = !this.attached.length;
    const without = (one) => () => this.change(this.attached.filter((each) => each !== one));
    this.list.replaceChildren(...this.attached.map((one) => this.line(one, this.T.remove, without(one))));
  }
}
