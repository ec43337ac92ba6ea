// Which key means which deed. Letters only name answers; deeds have the keys they have elsewhere (F2, Ctrl+C, Ctrl+Z).
// Letters are physical keys, so that they work in the Russian layout too.
const WRITING = (node) => node.matches?.("textarea, input:not([type=radio])");

// `desk`: {cards, help, back, pick, copy, mark, search}
export function listen(desk) {
  addEventListener("keydown", (event) => {
    const card = desk.cards.find((one) => one.node.contains(document.activeElement));
    if (press(event, desk, card)) event.preventDefault();
  });
}

function press(event, desk, card) {
  const chord = event.ctrlKey || event.metaKey;
  if (WRITING(event.target)) return card ? writing(event, chord, desk, card) : false;
  if (event.altKey) return false;
  if (chord) return withControl(event, desk, card);
  if (event.key === "?") return desk.help(), true;
  if (event.code === "Slash" || event.key === "/") return desk.search();
  const called = desk.cards.find((one) => event.code === `Key${one.given.letter}`);
  if (called) return called.node.focus(), true;
  return card ? onCard(event, desk, card) : false;
}

function writing(event, chord, desk, card) {
  if (event.key === "Escape" || event.key === "F2") return card.edit(), true;
  if (event.key === "Enter" && chord) return desk.pick(card), true;
  return false;
}

function withControl(event, desk, card) {
  if (event.code === "KeyZ" && !event.shiftKey) return desk.back(), true;
  const marked = String(getSelection()).length;
  if (event.code === "KeyC" && card && !marked) return desk.copy(card), true;
  return false;
}

function onCard(event, desk, card) {
  const itself = event.target === card.node;
  if (/^[1-5]$/.test(event.key)) return desk.digit(card, Number(event.key)), true;
  if (event.key === "F2") return card.edit(), true;
  if (!itself) return false;
  if (event.key === "Enter") return desk.pick(card), true;
  const side = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (side) return neighbour(desk.cards, card, side).node.focus(), true;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) return card.turn(card.now + step), true;
  return false;
}

function neighbour(cards, card, side) {
  return cards[(cards.indexOf(card) + side + cards.length) % cards.length];
}
