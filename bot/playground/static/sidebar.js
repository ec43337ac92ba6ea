// The list of chats and the choice of whom to be. Knows no server.
import { $, avatar, clock, el, snippet } from "./dom.js";
import { openMenu } from "./overlays.js";

export function drawMe(me) {
  $("me").replaceChildren(avatar(me, true), el("span", {}, el("b", {}, me.name), el("small", {}, "это вы — сменить ▾")));
}

export function peopleMenu(people, me, acts) {
  const box = $("me").getBoundingClientRect();
  openMenu({ x: box.left, y: box.bottom + 4 }, [
    ...people.map((person) => ({ icon: avatar(person, true), text: person.name + (person.id === me ? " ✓" : ""), run: () => acts.become(person.id) })),
    { icon: el("span", { className: "avatar small" }, "+"), text: "Добавить человека", run: acts.addPerson },
  ], null, $("me"));
}

export function drawChats(chats, current, choose) {
  $("chats").replaceChildren(...chats.map((chat) => {
    const last = chat.last;
    const who = last && chat.id < 0 ? `${last.sender.name.split(" ")[0]}: ` : "";
    return el("button", { type: "button", className: "chat-row", "aria-current": String(chat.id === current), "data-chat": chat.id, on: { click: () => choose(chat.id) } },
      avatar(chat),
      el("span", { className: "words" },
        el("span", { className: "top" }, el("b", {}, chat.name), last ? el("time", {}, clock(last.date)) : null),
        el("span", { className: "last" }, last ? who + snippet(last).replaceAll("\n", " ") : chat.about || "Нет сообщений")),
      chat.unread ? el("span", { className: "badge", "aria-label": `Непрочитанных: ${chat.unread}` }, String(chat.unread)) : null);
  }));
}
