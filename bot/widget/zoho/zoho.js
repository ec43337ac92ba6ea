// The page inside Zoho CRM: the record that is open asks, a Zoho function fetches the token on Zoho's server (the key
// stays there). Knows Zoho's SDK and nothing of answers.
import { start } from "./app.js";

/* global ZOHO */
const told = JSON.parse(document.body.dataset.zoho);
const lang = told.lang;
const MOST = 8000;

const desk = start({ api: told.api, lang, tell });
let renewing = null;

function tell(message) {
  if (message.type === "otklik.expired") open();
}

// A session for whoever is signed in; several who ask at once share one call.
function open() {
  renewing ??= session().finally(() => (renewing = null));
  return renewing;
}

async function session() {
  const { users } = await ZOHO.CRM.CONFIG.getCurrentUser();
  const asked = { arguments: JSON.stringify({ who: String(users[0].id) }) };
  const answer = await ZOHO.CRM.FUNCTIONS.execute(told.function, asked);
  const { token } = JSON.parse(answer.details.output);
  if (typeof token !== "string" || !token) throw new Error("no token");
  desk.session(token);
}

// The words of a record's fields, one under the other; mark-up of rich text becomes text.
function question(record) {
  const words = told.fields.map((name) => plain(record[name])).filter(Boolean);
  return [...new Set(words)].join("\n\n").slice(0, MOST);
}

function plain(value) {
  const text = typeof value === "string" ? value : "";
  if (!/<[a-z][^>]*>/i.test(text)) return text.trim();
  const { body } = new DOMParser().parseFromString(text, "text/html"); // inert: nothing in it runs or loads
  body.querySelectorAll("script, style").forEach((node) => node.remove());
  return body.textContent.trim();
}

async function load({ Entity, EntityId }) {
  const id = String([EntityId].flat()[0]);
  try {
    const [answer] = await Promise.all([ZOHO.CRM.API.getRecord({ Entity, RecordID: id }), open()]);
    const record = answer.data[0];
    const asked = question(record);
    if (!asked) return desk.say(desk.T.empty);
    const client = record.Contact_Name?.id ?? record.id ?? id;
    desk.question({ question: asked, client: String(client), task: `${Entity} ${id}` });
  } catch {
    desk.say(desk.T.noSession);
  }
}

ZOHO.embeddedApp.on("PageLoad", load);
ZOHO.embeddedApp.init();
