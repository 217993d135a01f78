/** The page /demo: come in with a development token, send yourself something, watch it arrive. */
// @ts-check

const bell = /** @type {import("./tocsin-bell").TocsinBell} */ (document.querySelector("tocsin-bell"));
const KEPT = "tocsin-demo";
const HELLO = {
  en: { title: "Hello, it is me", body: "This has come through Kafka and back.", in: "signed in as", at: "at" },
  fr: { title: "Bonjour, c’est moi", body: "Ceci a fait l’aller-retour par Kafka.", in: "connecté :", at: "à" },
};
const lang = (new URLSearchParams(location.search).get("lang") ?? navigator.language).startsWith("fr") ? "fr" : "en";

/** @type {(id: string) => any} */
const $ = (id) => document.getElementById(id);

/** Who is here: a name for which tokens are made as they are needed, or a token that was brought along.
 * @type {{ user: string, token?: string } | null} */
let person = null;

/** A problem of the gateway, as people can read it. */
class Refused extends Error {}

/** @param {string} method @param {string} path @param {any} [body] @param {string} [token] */
async function call(method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const said = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw new Refused(said.detail ?? answer.statusText);
  return said;
}

let known = { token: "", until: 0 };

/** A good token of this person; the bell asks for one, too. */
async function token() {
  if (person?.token) return person.token;
  if (known.until < Date.now()) {
    const { token, expires_in } = await call("POST", "/demo/token", { user: person?.user });
    known = { token, until: Date.now() + (expires_in - 60) * 1000 };
  }
  return known.token;
}

/** @param {typeof person} who */
async function comeIn(who) {
  person = who;
  known.until = 0;
  await token();
  sessionStorage.setItem(KEPT, JSON.stringify(who));
  $("who").textContent = `${HELLO[lang].in} ${who?.user}`;
  show(true);
  bell.token = who?.token ?? token;
}

function leave() {
  sessionStorage.removeItem(KEPT);
  bell.token = person = null;
  show(false);
}

/** @param {boolean} inside */
function show(inside) {
  for (const id of ["who", "leave", "send"]) $(id).hidden = !inside;
  $("enter").hidden = inside;
  $("sent").hidden = true;
  $("lives").replaceChildren();
}

/** The person that a token names. @param {string} token */
function bearer(token) {
  try {
    return { user: JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub, token };
  } catch {
    throw new Refused("this is no token");
  }
}

/** Does it when the form is sent, and says what went wrong. @param {string} id @param {(data: any) => Promise<void>} what */
function on(id, what) {
  const form = $(id);
  form.onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const [button, error] = [form.querySelector("button"), form.closest("section").querySelector(".error")];
    button.disabled = true;
    error.textContent = "";
    try {
      await what(Object.fromEntries(new FormData(form)));
    } catch (trouble) {
      error.textContent = trouble instanceof Error ? trouble.message : String(trouble);
    }
    button.disabled = false;
  };
}

/** @param {{ title: string, body: string, url: string, seconds: string }} asked */
async function send({ title, body, url, seconds }) {
  const later = Number(seconds) ? { send_at: new Date(Date.now() + Number(seconds) * 1000).toISOString() } : {};
  const request = { channel: "inapp", user_id: person?.user, subject: title, body, ...later, ...(url && { data: { url } }) };
  const { id } = await call("POST", "/v1/notifications", request, await token());
  const life = document.createElement("li");
  life.append(Object.assign(document.createElement("b"), { textContent: title }), document.createElement("span"));
  $("lives").prepend(life);
  $("sent").hidden = false;
  follow(id, life);
}

/** Shows the timeline until it has ended. @param {string} id @param {HTMLElement} life */
async function follow(id, life) {
  const clock = new Intl.DateTimeFormat(lang, { timeStyle: "medium" });
  for (let n = 0; n < 60 && life.isConnected; n++) {
    const { timeline, status } = await call("GET", `/v1/notifications/${id}`, undefined, await token());
    const lines = timeline.map((/** @type {any} */ line) => `${line.event} ${clock.format(new Date(line.at))}`);
    /** @type {any} */ (life.lastChild).textContent = lines.join(" → ");
    if (!["accepted", "scheduled", "retrying"].includes(status)) return;
    await new Promise((done) => setTimeout(done, n < 10 ? 150 : 500));
  }
}

function words() {
  document.documentElement.lang = lang;
  document.querySelector(`nav [lang=${lang}]`)?.setAttribute("aria-current", "page");
  if (lang === "fr") {
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-fr]")))
      one.textContent = one.dataset.fr ?? "";
  }
  const { title, body } = HELLO[lang];
  Object.assign($("compose").elements.title, { value: title });
  $("compose").elements.body.value = body;
  const open = '<script type="module" src="';
  $("snippet").textContent = [
    `${open}${location.origin}/bell/tocsin-bell.js"></` + "script>",
    "<tocsin-bell></tocsin-bell>",
    '<script type="module">',
    '  document.querySelector("tocsin-bell").token =',
    '    async () => (await fetch("/my/tocsin-token")).text();',
    "</" + "script>",
  ].join("\n");
}

async function begin() {
  words();
  on("sign-in", ({ user }) => comeIn({ user }));
  on("paste", ({ token }) => comeIn(bearer(token.trim())));
  on("compose", send);
  $("leave").onclick = leave;
  bell.addEventListener("tocsin-signed-out", leave);
  const { tokens } = await call("GET", "/demo/token");
  for (const id of ["closed", "paste"]) $(id).hidden = tokens;
  $("sign-in").hidden = !tokens;
  const kept = sessionStorage.getItem(KEPT);
  if (!kept) return show(false);
  await comeIn(JSON.parse(kept)).catch(leave);
}

begin();
