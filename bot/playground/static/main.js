// Joins the page's parts to the people API and keeps what is on the screen.
import { $, avatar, el } from "./dom.js";
import { attach, get, listen, post } from "./api.js";
import { dialog, openMenu, toast } from "./overlays.js";
import { Composer } from "./composer.js";
import { Log } from "./log.js";
import { drawChats, drawMe, peopleMenu } from "./sidebar.js";

const QUERY_SECONDS = 15;
const state = { me: 0, chat: 0, world: null, last: {}, unread: {}, blocked: false, busy: 0, opening: null, stop: () => {}, waiting: new Map() };

const faces = () => [...state.world.people, ...state.world.bots];
const peer = () => chats().find((chat) => chat.id === state.chat);
const chats = () => [
  ...state.world.bots.map((bot) => ({ ...bot, last: state.last[bot.id], unread: state.unread[bot.id] })),
  ...state.world.groups.filter((group) => group.members.includes(state.me)).map((group) => ({ ...group, name: group.title, last: state.last[group.id], unread: state.unread[group.id] })),
];

const rank = (chat, id) => (chat?.owner === id ? "владелец" : chat?.admins?.includes(id) ? "админ" : "");

async function attempt(work) {
  try { await work(); return true; } catch (error) { toast(error.message); return false; }
}
const here = (fields) => ({ person: state.me, chat: state.chat, ...fields });

const acts = {
  me: () => state.me,
  nameOf: (id) => faces().find((face) => face.id === id)?.name ?? "Кто-то",
  send: (text, reply) => attempt(() => post("send", here({ text, reply_to: reply }))),
  edit: (message, text) => attempt(() => post("edit", here({ message: message.id, text }))),
  rankOf: (id) => rank(peer(), id),
  command: (text) => acts.send(text, null),
  attach: (fields) => attempt(() => attach(here(fields))),
  jump: (id) => log.jump(id),
  step: (node, by) => log.step(node, by),
  lastMine: () => log.lastOf(state.me),
  wide: () => (state.blocked ? attempt(() => post("block", here({ blocked: false }))) : acts.send("/start", null)),
  react: (message, emoji) => attempt(() => {
    const mine = message.reactions.filter((one) => one.person === state.me).map((one) => one.emoji);
    return post("react", here({ message: message.id, emoji: mine.includes(emoji) ? [] : [emoji] }));
  }),
  press: (message, button, node) => attempt(async () => {
    if (button.web_app) { window.open(button.web_app.url, "_blank", "noopener"); return; }
    if (button.callback_data === undefined) { toast("Эта кнопка здесь не работает"); return; }
    const { callback } = await post("press", here({ message: message.id, data: button.callback_data }));
    const early = state.waiting.get(callback);
    if (early) { state.waiting.delete(callback); answered(early); return; }
    node.classList.add("waiting");
    node.setAttribute("aria-busy", "true");
    const timer = setTimeout(() => settle(callback), QUERY_SECONDS * 1000);
    state.waiting.set(callback, { node, timer });
  }),
  menu: (message, point, node) => {
    const mine = message.sender.id === state.me;
    const reacted = message.reactions.filter((one) => one.person === state.me).map((one) => one.emoji);
    openMenu(point, [
      { icon: "↩", text: "Ответить", run: () => composer.reply(message) },
      message.text ? { icon: "📋", text: "Копировать", run: () => navigator.clipboard?.writeText(message.text) } : null,
      mine && (!message.media || ["photo", "document"].includes(message.media.kind)) ? { icon: "✏️", text: "Изменить", run: () => composer.edit(message) } : null,
      mine || state.chat > 0 ? { icon: "🗑", text: "Удалить", danger: true, run: () => attempt(() => post("delete", here({ message: message.id }))) } : null,
    ], { all: state.world.reactions, mine: reacted, pick: (emoji) => acts.react(message, emoji) }, node);
  },
};
const log = new Log(acts);
const composer = new Composer(acts);

function settle(callback) {
  const waiting = state.waiting.get(callback);
  if (!waiting?.node) return;
  clearTimeout(waiting.timer);
  waiting.node.classList.remove("waiting");
  waiting.node.removeAttribute("aria-busy");
  state.waiting.delete(callback);
}

function answered(event) {
  if (event.text && event.alert) dialog(event.text);
  else if (event.text) toast(event.text);
}

const heard = {
  message(event) {
    state.last[event.chat] = event.message;
    if (event.chat === state.chat) {
      if (event.message.sender.is_bot) idle();
      log.add(event.message);
      composer.state(state.blocked, false);
    } else state.unread[event.chat] = (state.unread[event.chat] ?? 0) + 1;
    drawSide();
  },
  changed(event) {
    if (state.last[event.chat]?.id === event.message.id) state.last[event.chat] = event.message;
    if (event.chat === state.chat) log.change(event.message);
    drawSide();
  },
  deleted(event) { if (event.chat === state.chat) log.remove(event.id); },
  action(event) { if (event.chat === state.chat) busy(event); },
  reply_keyboard(event) { if (event.chat === state.chat) composer.keyboard(event.keyboard); },
  blocked(event) {
    if (event.chat !== state.chat) return;
    state.blocked = event.blocked;
    composer.state(event.blocked, !log.messages.length);
    idle();
  },
  callback(event) {
    if (!state.waiting.has(event.id)) { state.waiting.set(event.id, event); return; }
    settle(event.id);
    answered(event);
  },
  async world() {
    const { me, chat } = state;
    const stale = () => state.me !== me || state.chat !== chat;
    const world = await get("world");
    if (state.me !== me) return;
    state.world = world;
    drawSide();
    if (stale() || !peer()) return;
    const found = await get("chat", here({}));
    if (stale()) return;
    composer.commands = found.commands;
    $("slash").hidden = !found.commands.length;
  },
  reset: () => location.reload(),
};

const WORDS = { typing: "печатает", upload_photo: "отправляет фото", upload_document: "отправляет файл", record_voice: "записывает голосовое" };

function busy(event) {
  clearTimeout(state.busy);
  const who = state.chat < 0 ? `${event.sender.name} ` : "";
  $("peer-status").className = "busy";
  $("peer-status").replaceChildren(el("span", { className: "typing", "aria-hidden": "true" }, el("b"), el("b"), el("b")), `${who}${WORDS[event.action] ?? "занят"}…`);
  state.busy = setTimeout(idle, 5000);
}

function idle() {
  clearTimeout(state.busy);
  const chat = peer();
  const count = chat?.members ? chat.members.length + Object.values(chat.bots).filter((status) => status !== "kicked").length : 0;
  $("peer-status").className = "";
  const mine = rank(chat, state.me);
  const text = count ? `участников: ${count}${mine ? ` · вы ${mine}` : ""}` : state.blocked ? "заблокирован вами" : "бот";
  // A screen reader says again what is written again.
  if ($("peer-status").textContent !== text) $("peer-status").textContent = text;
}

function drawSide() {
  drawMe(faces().find((face) => face.id === state.me));
  drawChats(chats(), state.chat, (id) => attempt(() => open(id)));
}

// While a chat is being fetched its events wait, so that none falls between the answer and the screen.
function hear(event) {
  if (state.opening) state.opening.push(event);
  else heard[event.kind]?.(event);
}

function catchUp(chat, seq) {
  const missed = state.opening ?? [];
  state.opening = null;
  for (const event of missed) if (event.chat !== chat || event.seq > seq) hear(event);
}

async function open(id) {
  state.opening ??= [];
  $("app").classList.add("in-chat");
  state.chat = id;
  delete state.unread[id];
  history.replaceState(null, "", `#${state.me}/${id}`);
  const { me } = state;
  const found = await get("chat", here({})).catch((error) => { catchUp(0, 0); throw error; });
  if (state.chat !== id || state.me !== me) return;
  const chat = peer();
  state.blocked = found.blocked;
  state.last[id] = found.messages.at(-1) ?? state.last[id];
  $("peer-avatar").replaceChildren(avatar(chat, true));
  $("peer-name").textContent = chat.name;
  idle();
  const empty = chat.is_bot ? { title: "Что умеет этот бот?", text: chat.description || chat.about || "Нажмите «Запустить» и напишите ему." } : { title: chat.name, text: "Здесь пока пусто. Упомяните бота через @, чтобы он ответил." };
  log.open(found.messages, id < 0, empty);
  composer.open(found, { empty: chat.is_bot && !found.messages.length, name: chat.name, group: id < 0 });
  drawSide();
  catchUp(id, found.seq);
  if (matchMedia("(min-width: 721px)").matches) $("text").focus();
}

async function become(id) {
  state.stop();
  Object.assign(state, { me: id, last: {}, unread: {}, waiting: new Map() });
  localStorage.setItem("me", id);
  history.replaceState(null, "", `#${id}`);
  const { seq } = state.world = await get("world");
  for (const chat of chats()) state.last[chat.id] = (await get("chat", { person: id, chat: chat.id })).messages.at(-1);
  const wanted = chats().find((chat) => chat.id === state.chat) ?? chats()[0];
  if (wanted) await open(wanted.id);
  state.stop = listen(id, seq, hear);
}

const side = {
  become: (id) => attempt(() => become(id)),
  addPerson: () => attempt(async () => {
    const name = await dialog("Как зовут нового человека?", { ask: "" });
    if (name) await become((await post("people", { name })).id);
  }),
};
$("me").addEventListener("click", () => peopleMenu(state.world.people, state.me, side));
$("new-group").addEventListener("click", () => attempt(async () => {
  const name = await dialog("Название группы. В неё войдут все люди и бот.", { ask: "" });
  if (!name) return;
  const members = [state.me, ...state.world.people.map((one) => one.id).filter((id) => id !== state.me)];
  const { id } = await post("groups", { name, members });
  state.world = await get("world");
  await open(id);
}));
$("back").addEventListener("click", () => { $("app").classList.remove("in-chat"); $("chats").querySelector("button")?.focus(); });
$("chat-menu").addEventListener("click", (event) => {
  const box = event.currentTarget.getBoundingClientRect();
  const chat = peer();
  const bot = state.world.bots[0];
  const inside = chat.bots && chat.bots[bot.id] !== "kicked";
  const role = (status) => attempt(() => post("membership", here({ bot: bot.id, status })));
  openMenu({ x: box.right - 230, y: box.bottom + 4 }, chat.is_bot
    ? [{ icon: "⛔", text: state.blocked ? "Разблокировать бота" : "Заблокировать бота", danger: !state.blocked, run: () => attempt(() => post("block", here({ blocked: !state.blocked }))) }]
    : [inside ? { icon: "⛔", text: `Исключить бота «${bot.name}»`, danger: true, run: () => role("kicked") } : { icon: "+", text: `Вернуть бота «${bot.name}»`, run: () => role("administrator") },
      inside && chat.bots[bot.id] === "administrator" ? { icon: "☆", text: "Снять с бота права админа", run: () => role("member") } : null,
      inside && chat.bots[bot.id] === "member" ? { icon: "★", text: "Сделать бота админом", run: () => role("administrator") } : null],
  null, event.currentTarget);
});

const dark = matchMedia("(prefers-color-scheme: dark)");
function paint() {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
}
$("theme").addEventListener("click", () => {
  localStorage.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  paint();
});
dark.addEventListener("change", paint);
paint();

state.world = await get("world");
const [person, chat] = location.hash.slice(1).split("/").map(Number);
const known = (id) => state.world.people.some((one) => one.id === id);
state.chat = chat || 0;
const saved = Number(localStorage.getItem("me"));
const first = [person, saved, state.world.people[0]?.id].find(known);
if (first) await become(first);
else { await post("people", { name: "Вы" }); location.reload(); }
