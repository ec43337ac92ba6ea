// Puts the widget into a host page: <script src="https://API/widget/otklik.js" data-lang="ru"></script>.
// Gives window.otklik = {session, ask, focus, onAnswer, onUndo, onExpired}. Knows no key: the host's server makes tokens.
(() => {
  const script = document.currentScript;
  const { origin: home, pathname } = new URL(script.src);
  const lang = script.dataset.lang === "en" ? "en" : "ru";
  const frame = document.createElement("iframe");
  frame.src = `${home}${pathname.replace(/[^/]*$/, "")}?lang=${lang}`;
  frame.title = lang === "en" ? "Suggested answers" : "Варианты ответа";
  frame.allow = "clipboard-write";
  frame.className = "otklik";
  Object.assign(frame.style, { width: "100%", height: script.dataset.height || "720px", border: "0" });
  const told = new Map(); // the last session and question: told again when the frame is loaded again
  const heard = { "otklik.answer": [], "otklik.undo": [], "otklik.expired": [] };
  let ready = false;
  const post = (message) => ready && frame.contentWindow.postMessage(message, home);
  const keep = (message) => {
    told.set(message.type, message);
    post(message);
  };
  window.addEventListener("message", (event) => {
    if (event.origin !== home || event.source !== frame.contentWindow) return;
    const type = event.data && event.data.type;
    if (type === "otklik.ready") {
      ready = true;
      told.forEach(post);
    }
    (heard[type] || []).forEach((tell) => tell(event.data));
  });
  window.otklik = {
    session: (token) => keep({ type: "otklik.session", token }),
    ask: (question) => keep({ ...question, type: "otklik.question" }),
    focus: () => {
      frame.focus();
      post({ type: "otklik.focus" });
    },
    onAnswer: (tell) => heard["otklik.answer"].push(tell),
    onUndo: (tell) => heard["otklik.undo"].push(tell),
    onExpired: (tell) => heard["otklik.expired"].push(tell),
  };
  const place = script.dataset.into && document.querySelector(script.dataset.into);
  if (place) place.append(frame);
  else script.after(frame);
})();
