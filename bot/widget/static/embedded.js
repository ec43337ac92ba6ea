// The page inside a host page: session and question come by postMessage, from the origins that the server allows and
// from the window that holds this one; everything else is not read.
import { start } from "./app.js";

const origins = JSON.parse(document.body.dataset.origins);
const lang = new URLSearchParams(location.search).get("lang") === "en" ? "en" : "ru";
let home = "";

const desk = start({ api: "", lang, tell: (message) => home && parent.postMessage(message, home) });
const heard = {
  "otklik.session": (told) => desk.session(String(told.token)),
  "otklik.question": (told) => desk.question(told),
  "otklik.focus": () => desk.focus(),
};

addEventListener("message", (event) => {
  if (event.source !== parent || !origins.includes(event.origin)) return;
  const act = heard[event.data?.type];
  if (!act) return;
  home = event.origin;
  act(event.data);
});
// Says nothing secret, and who listens is not known yet.
parent.postMessage({ type: "otklik.ready" }, "*");
