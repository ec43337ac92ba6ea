// One suggested answer on the page: its words, an editor, buttons, marks by criterion. Knows nothing of the server.
import { make } from "./dom.js";

export const CRITERIA = ["content", "grammar", "structure", "style"];
const MARKS = [1, 2, 3, 4, 5];

export class Card {
  // `on`: {pick, copy, mark}, called with the card (mark: with criterion and value too).
  constructor(given, T, on) {
    Object.assign(this, { given, T, on, text: given.text, stars: {}, now: 0 });
    const name = `${T.answer} ${given.letter}`;
    const button = (text, act, className = "") => make("button", { type: "button", textContent: text, onclick: act, className });
    this.heading = make("h2");
    this.words = make("p", { className: "words" });
    this.box = make("textarea", { hidden: true, maxLength: 4000, ariaLabel: `${T.edit}: ${name}` });
    this.taker = button(T.pick, () => on.pick(this), "main");
    this.editor = button(T.edit, () => this.edit());
    const deeds = make("div", { className: "deeds" }, this.taker, this.editor, button(T.copy, () => on.copy(this)));
    this.rows = CRITERIA.map((criterion, place) => this.row(criterion, place));
    this.node = make("article", { tabIndex: -1, ariaLabel: name }, this.heading, this.words, this.box, deeds, ...this.rows);
    this.paint();
  }

  get changed() {
    return this.text !== this.given.text;
  }

  get picked() {
    return this.node.classList.contains("picked");
  }

  get editing() {
    return !this.box.hidden;
  }

  row(criterion, place) {
    const name = `${criterion} ${this.given.request_id}`;
    const stars = MARKS.map((value) => {
      const radio = make("input", { type: "radio", name, value: String(value) });
      radio.onchange = () => this.on.mark(this, criterion, value);
      return make("label", {}, radio, make("span", { textContent: String(value) }));
    });
    const title = make("legend", { textContent: this.T.criteria[criterion] });
    const row = make("fieldset", {}, title, make("div", { className: "stars" }, ...stars));
    row.addEventListener("focusin", () => this.turn(place));
    return row;
  }

  // Which criterion the digits mark.
  turn(place) {
    this.now = Math.max(0, Math.min(CRITERIA.length - 1, place));
    this.rows.forEach((row, at) => row.classList.toggle("now", at === this.now));
  }

  paint(picked = this.picked) {
    const { T, given } = this;
    this.heading.textContent = `${T.answer} ${given.letter}${this.changed ? ` · ${T.edited}` : ""}`;
    this.words.textContent = this.text;
    this.node.classList.toggle("picked", picked);
    this.taker.textContent = picked ? `✓ ${T.picked}` : T.pick;
    this.rows.forEach((row, at) => row.querySelectorAll("input").forEach((radio) => {
      radio.checked = this.stars[CRITERIA[at]] === Number(radio.value);
    }));
    this.turn(this.now);
  }

  // Open the editor; if it is open, keep what is in it. An emptied answer is the old one again.
  edit() {
    const opening = !this.editing;
    if (opening) this.box.value = this.text;
    else this.text = this.box.value.trim() || this.given.text;
    [this.box.hidden, this.words.hidden] = [!opening, opening];
    this.editor.textContent = opening ? this.T.done : this.T.edit;
    this.paint();
    (opening ? this.box : this.node).focus();
    if (opening) this.box.setSelectionRange(0, 0);
  }
}
