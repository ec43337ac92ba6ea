// Pop-up menus, toasts and dialogs. Knows no chat.
import { $, el } from "./dom.js";

let opener = null;

export function closeMenu() {
  if ($("menu").hidden) return;
  $("menu").hidden = true;
  opener?.setAttribute?.("aria-expanded", "false");
  opener?.focus?.();
  opener = null;
}

export function openMenu(point, items, emoji = null, from = null) {
  closeMenu();
  opener = from;
  from?.setAttribute("aria-expanded", "true");
  const menu = $("menu");
  const choose = (action) => () => { closeMenu(); action(); };
  menu.replaceChildren();
  if (emoji) {
    menu.append(el("div", { className: "emoji", role: "group", "aria-label": "Реакции" }, ...emoji.all.map((one) =>
      el("button", { type: "button", role: "menuitem", "aria-label": `Реакция ${one}`, "aria-pressed": String(emoji.mine.includes(one)), on: { click: choose(() => emoji.pick(one)) } }, one))));
  }
  menu.append(...items.filter(Boolean).map((item) =>
    el("button", { type: "button", className: `item${item.danger ? " danger" : ""}`, role: "menuitem", on: { click: choose(item.run) } }, item.icon ? (typeof item.icon === "string" ? el("span", { "aria-hidden": "true" }, item.icon) : item.icon) : null, el("span", {}, item.text))));
  menu.hidden = false;
  menu.style.left = `${Math.max(8, Math.min(point.x, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(point.y, innerHeight - menu.offsetHeight - 8))}px`;
  menu.querySelector("button")?.focus();
}

document.addEventListener("pointerdown", (event) => { if (!$("menu").contains(event.target)) closeMenu(); });
document.addEventListener("keydown", (event) => {
  if ($("menu").hidden) return;
  const buttons = [...$("menu").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (event.key === "Escape") { event.stopPropagation(); closeMenu(); }
  else if (step) { event.preventDefault(); buttons[(at + step + buttons.length) % buttons.length].focus(); }
}, true);

let fading = 0;
export function toast(text) {
  clearTimeout(fading);
  $("toast").textContent = text;
  $("toast").hidden = !text;
  fading = setTimeout(() => { $("toast").hidden = true; }, 3500);
}

// Resolves to the text typed, to true where nothing is asked, or to null when dismissed.
export function dialog(text, { ask = null, cancel = false } = {}) {
  const box = $("dialog");
  $("dialog-text").textContent = text;
  $("dialog-input").hidden = ask === null;
  $("dialog-input").value = ask ?? "";
  $("dialog-input").setAttribute("aria-label", text);
  $("dialog-cancel").hidden = !cancel && ask === null;
  box.returnValue = "";
  box.showModal();
  (ask === null ? $("dialog-ok") : $("dialog-input")).focus();
  return new Promise((done) => {
    box.addEventListener("close", () => {
      if (box.returnValue !== "ok") done(null);
      else done(ask === null ? true : $("dialog-input").value.trim() || null);
    }, { once: true });
  });
}
$("dialog-input").addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); $("dialog").close("ok"); }
});
