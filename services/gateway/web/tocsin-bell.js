/**
 * <tocsin-bell>: a person's notifications, as they come. No dependencies; served by the gateway.
 *
 *   <script type="module" src="https://tocsin.example/bell/tocsin-bell.js"></script>
 *   <tocsin-bell></tocsin-bell>
 *   document.querySelector("tocsin-bell").token = async () => (await fetch("/my/tocsin-token")).text();
 *
 * Attributes: src (the gateway; where this file came from), lang (en, fr), theme (light, dark; else the page's).
 * Styled by --tocsin-accent and --tocsin-font. Events: tocsin-open (an entry was chosen; preventDefault keeps its link
 * from opening), tocsin-unread (how many), tocsin-signed-out (a new token is needed). Types: tocsin-bell.d.ts.
 * A link is `data.url`, of http or https alone; whatever else an entry says is shown as text.
 */
// @ts-check
/** @typedef {import("./tocsin-bell").Entry} Entry */

const WORDS = {
  en: {
    unread: (/** @type {number} */ n) => `${n} unread`,
    fresh: "Unread",
    all: "Mark all as read",
    more: "Show more",
    archive: "Archive",
    empty: "Nothing here yet",
    allow: "Also show them on this device",
    away: "Connection lost. Trying again…",
    out: "You are signed out.",
    failed: "That did not work.",
  },
  fr: {
    unread: (/** @type {number} */ n) => `${n} non lue${n > 1 ? "s" : ""}`,
    fresh: "Non lue",
    all: "Tout marquer comme lu",
    more: "Afficher la suite",
    archive: "Archiver",
    empty: "Rien pour le moment",
    allow: "Les afficher aussi sur cet appareil",
    away: "Connexion perdue. Nouvel essai…",
    out: "Vous êtes déconnecté.",
    failed: "Cela n’a pas fonctionné.",
  },
};
/** In both languages. */
const TITLE = "Notifications";
const BELL = "M12 3a6 6 0 0 0-6 6v4l-2 4h16l-2-4V9a6 6 0 0 0-6-6ZM9.5 20a2.6 2.6 0 0 0 5 0";
const BOX = "M4 5h16v4H4zM5.5 9v10h13V9M10 13h4";
/** Close codes after which coming back would not help (docs/stream.md); 4403: the token has expired. */
const FOR_GOOD = [1009, 4400, 4009, 4029];
/** Longer than two heartbeats of the gateway: then nobody is at the other end. */
const SILENCE = 60_000;
const PAGE = 20;
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60]];

const SHEET = new CSSStyleSheet();
SHEET.replaceSync(`
:host{--accent:var(--tocsin-accent,light-dark(#2f5bd7,#8fb0ff));--ink:light-dark(#171b22,#eceff4);
--line:light-dark(#e3e6ec,#363b46);--soft:light-dark(#5b6472,#a7b0bf);--hover:light-dark(#f4f6fa,#2a2f39);
display:inline-block;font:15px/1.45 var(--tocsin-font,system-ui,sans-serif)}
:host([theme=light]){color-scheme:light}:host([theme=dark]){color-scheme:dark}[hidden]{display:none!important}
*{box-sizing:border-box}
button,a{font:inherit;color:inherit;background:0;border:0;padding:0;text-align:start;text-decoration:none;cursor:pointer;
border-radius:8px}
:focus-visible{outline:2px solid var(--accent);outline-offset:-2px}
svg{width:24px;fill:none;stroke:currentColor;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round;display:block}
.bell{position:relative;padding:8px}.bell:hover,li:hover,li:focus-within,.more:hover{background:var(--hover)}
.badge{position:absolute;top:1px;inset-inline-start:20px;min-width:18px;padding:0 4px;border-radius:9px;text-align:center;
background:#c8283c;color:#fff;font:650 11px/18px system-ui;box-shadow:0 0 0 2px Canvas}
.panel{position:fixed;inset:auto;padding:0;width:min(390px,100vw - 24px);max-height:min(600px,100dvh - 84px);
border:1px solid var(--line);border-radius:14px;background:light-dark(#fff,#1d2129);color:var(--ink);
box-shadow:0 12px 36px rgb(0 0 0/.2);overflow:hidden;flex-direction:column}
.panel:popover-open{display:flex}
header,.note{display:flex;justify-content:space-between;align-items:center;padding:11px 16px;border-bottom:1px solid var(--line)}
h2{margin:0;font-size:17px}h2:focus{outline:0}h2,.new b,.empty b{font-weight:650}
.link{color:var(--accent)}
.note,.link,.body,.more{font-size:14px}
.note,.body,time,.act,.empty{color:var(--soft)}
.scroll{overflow-y:auto}
ul{list-style:none;margin:0;padding:6px}
li{display:flex;align-items:start;border-radius:10px;position:relative}
.main{flex:1;min-width:0;padding:10px 4px 10px 28px;overflow-wrap:anywhere}.main *{display:block}
.new .main::before{content:"";position:absolute;left:11px;top:16px;width:9px;height:9px;border-radius:5px;background:var(--accent)}
b{font-weight:500}a b{color:var(--accent)}
.main .body{white-space:pre-line;display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:4;overflow:hidden}
time{font-size:13px}
.act{margin:7px 6px;padding:5px}.act svg{width:19px}
@media(hover:hover){li:not(:hover,:focus-within) .act{opacity:0}}
.more{width:calc(100% - 24px);margin:2px 12px 12px;padding:9px;text-align:center;border:1px solid var(--line)}
.empty{padding:48px;text-align:center}.empty svg{width:40px;margin:0 auto 10px;opacity:.6}
.aside{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
`);

/**
 * An element. What is said goes in as text, never as markup.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @param {string} d */
function icon(d) {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", d);
  svg.append(path);
  return svg;
}

/** The link of an entry, if it leads to a page: `javascript:` and its like do not. @param {Entry} entry */
function link(entry) {
  const url = entry.data?.url;
  const { protocol, href } = Object.assign(el("a"), typeof url === "string" && { href: url });
  return /^https?:$/.test(protocol) ? href : "";
}

export class TocsinBell extends HTMLElement {
  /** @type {string | (() => string | Promise<string>) | null} */ #token = null;
  /** @type {{ known?: string | null }} Whoever sits there now; what was on its way for another one finds its own. */ #who = {};
  /** @type {Map<string, Entry>} */ #entries = new Map();
  /** @type {Map<string, [Entry, HTMLLIElement]>} */ #items = new Map();
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {any[] | null} Frames that wait for the page that is on its way. */ #waiting = null;
  /** @type {string | undefined} */ #next;
  /** @type {Record<string, ReturnType<typeof setTimeout>>} */ #timers = {};
  #epoch = "";
  #offset = 0;
  #unread = 0;
  #loaded = false;
  /** So often in a row the stream did not come up. */
  #tries = 0;
  #run = 0;
  #note = "";

  #badge = el("span", { class: "badge" });
  #button = el("button", { class: "bell" }, icon(BELL), this.#badge);
  #heading = el("h2", { tabindex: "-1" }, TITLE);
  #all = el("button", { class: "link" });
  #allow = el("button", { class: "link" });
  #trouble = el("div", { class: "note", role: "status" });
  #device = el("div", { class: "note" }, this.#allow);
  #list = el("ul");
  #empty = el("div", { class: "empty" }, icon(BELL), el("b"));
  #more = el("button", { class: "more" });
  #aloud = el("div", { class: "aside", role: "status" });
  #panel = el(
    "div",
    { class: "panel", popover: "auto", role: "dialog", "aria-label": TITLE },
    el("header", {}, this.#heading, this.#all),
    this.#trouble,
    this.#device,
    el("div", { class: "scroll" }, this.#list, this.#empty, this.#more),
  );

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [SHEET];
    root.append(this.#button, this.#panel, this.#aloud);
    this.#button.popoverTargetElement = this.#panel;
    this.#panel.addEventListener("toggle", () => this.#toggled());
    this.#panel.addEventListener("keydown", (event) => this.#key(event));
    this.#all.onclick = () => this.#readAll();
    this.#more.onclick = () => this.#load();
    this.#allow.onclick = async () => (await Notification.requestPermission(), this.#show());
  }

  /** A token of the person, or what gets one whenever one is needed; null: nobody is signed in. */
  set token(token) {
    this.#token = token;
    this.#forget();
    this.#connect();
  }

  get token() {
    return this.#token;
  }

  /** How many entries are unread. */
  get unread() {
    return this.#unread;
  }

  /** Shows the list. */
  open() {
    this.#panel.showPopover();
  }

  connectedCallback() {
    addEventListener("online", this.#back);
    document.addEventListener("visibilitychange", this.#back);
    this.#show();
    this.#connect();
  }

  disconnectedCallback() {
    removeEventListener("online", this.#back);
    document.removeEventListener("visibilitychange", this.#back);
    this.#forget();
  }

  /** When somebody looks at the page, or the network is back, it is worth trying at once. */
  #back = () => {
    if (!document.hidden && !this.#socket && this.#note !== "out") this.#connect();
  };

  get #isOpen() {
    return this.#panel.matches(":popover-open");
  }

  get #base() {
    return new URL(this.getAttribute("src") ?? import.meta.url, document.baseURI);
  }

  /** Of those that there are words for: what a page says may be no language at all, such as `fr_FR`. */
  get #lang() {
    const lang = this.closest("[lang]")?.getAttribute("lang") || navigator.language;
    return lang.toLowerCase().startsWith("fr") ? "fr" : "en";
  }

  get #words() {
    return WORDS[this.#lang];
  }

  // ------------------------------------------------------------------------------------------------ the gateway

  /** @param {string} method @param {string} path @returns {Promise<any>} */
  async #call(method, path, again = true) {
    const who = this.#who;
    who.known ??= typeof this.#token === "function" ? await this.#token() : this.#token;
    const answer = await fetch(new URL(path, this.#base), {
      method,
      headers: { authorization: `Bearer ${who.known}` },
    });
    if (answer.ok) return answer.json();
    if (answer.status === 401 && who === this.#who) {
      who.known = null;
      if (again && typeof this.#token === "function") return this.#call(method, path, false);
      this.#say("out");
      this.#emit("tocsin-signed-out");
    }
    throw new Error();
  }

  /** The same for what a person asked for: what does not work is said, and answered with nothing. @param {string} method @param {string} path */
  #ask(method, path) {
    const who = this.#who;
    return this.#call(method, path).catch(() => who === this.#who && this.#say(this.#note || "failed"));
  }

  async #connect() {
    if (!this.isConnected || !this.#token || this.#socket) return;
    const run = ++this.#run;
    try {
      const { ticket } = await this.#call("POST", "/v1/stream/tickets");
      if (run !== this.#run) return;
      const url = new URL("/v1/stream", this.#base);
      url.protocol = url.protocol.replace("http", "ws");
      url.search = `ticket=${ticket}` + (this.#epoch && `&epoch=${this.#epoch}&offset=${this.#offset}`);
      const socket = (this.#socket = new WebSocket(url));
      socket.onmessage = (message) => socket === this.#socket && this.#hear(JSON.parse(message.data));
      socket.onclose = ({ code }) => socket === this.#socket && this.#ended(code);
      this.#watch();
    } catch {
      if (run === this.#run) this.#ended(0);
    }
  }

  /** @param {number} code */
  #ended(code) {
    clearTimeout(this.#timers.watch);
    this.#socket = null;
    if (this.#note === "out") return;
    if (FOR_GOOD.includes(code)) return this.#say("failed");
    if (code === 4403) this.#who.known = null;
    if (this.#tries) this.#say("away");
    // The first time soon, so that a restart is hardly seen; then ever more slowly, and never in step with the others.
    const pause = Math.min(30_000, 500 * 2 ** this.#tries++) * (0.5 + Math.random() / 2);
    this.#later("again", () => this.#connect(), pause);
  }

  /** @param {string} name @param {() => void} what @param {number} pause Milliseconds. */
  #later(name, what, pause) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(what, pause);
  }

  #watch() {
    this.#later("watch", () => (this.#socket?.close(), this.#ended(0)), SILENCE);
  }

  /** Whoever it was, it is somebody else now, or nobody. */
  #forget() {
    this.#run++;
    this.#socket?.close();
    Object.values(this.#timers).forEach(clearTimeout);
    this.#socket = this.#waiting = null;
    this.#who = {};
    this.#epoch = this.#note = "";
    this.#loaded = false;
    this.#offset = this.#tries = 0;
    this.#entries.clear();
    this.#count(0);
  }

  /** @param {any} frame */
  #hear(frame) {
    this.#watch();
    if (frame.type === "hello") {
      [this.#epoch, this.#offset, this.#tries] = [frame.epoch, frame.offset, 0];
      this.#say("");
      if (!frame.recovered) this.#reload();
    }
    if ("id" in frame) {
      if (frame.offset <= this.#offset) return;
      this.#offset = frame.offset;
    }
    if (this.#waiting) this.#waiting.push(frame);
    else this.#apply(frame);
  }

  /** One step of the stream. What is done twice is done once, so that a page may hold it already. @param {any} frame */
  #apply(frame) {
    const { type, offset, at, ...said } = frame;
    if ("unread" in frame) return this.#count(frame.unread);
    const entry = this.#entries.get(frame.id);
    const put = (/** @type {object} */ more) => this.#entries.set(frame.id, { ...entry, ...more });
    if (type === "notification") {
      if (this.#loaded) put({ ...said, offset });
      if (!entry && !frame.read_at) this.#tell(frame);
    } else if (type === "recalled" || type === "archived") this.#entries.delete(frame.id);
    else if (entry) put(type === "read" ? { read_at: at } : said);
    // One that is not in a list of all is back from the archive.
    else if (type === "updated" && !said.archived_at && !this.#next) this.#reload();
    this.#show();
  }

  /** What is known may be wrong; a page that is on its way may be older than that. */
  #reload() {
    this.#loaded = false;
    this.#next = undefined;
    this.#waiting = null;
    if (this.#isOpen) this.#load();
  }

  /** The next page of the list, or the first. */
  async #load() {
    if (this.#waiting || !this.#token) return;
    /** @type {any[]} */
    const waiting = (this.#waiting = []);
    const after = this.#loaded && this.#next ? `&after=${this.#next}` : "";
    const page = await this.#ask("GET", `/v1/inbox?limit=${PAGE}${after}`);
    if (this.#waiting !== waiting) return;
    this.#waiting = null;
    if (page) {
      if (!this.#loaded) this.#entries.clear();
      for (const entry of page.items) this.#entries.set(entry.id, entry);
      [this.#next, this.#loaded] = [page.next, true];
      this.#count(page.unread);
    }
    waiting.forEach((frame) => this.#apply(frame));
    this.#show();
  }

  // ------------------------------------------------------------------------------------------------ the person

  /** @param {Event} event @param {Entry} entry */
  #choose(event, entry) {
    if (!this.#emit("tocsin-open", entry)) event.preventDefault();
    if (!entry.read_at) this.#do(entry, "read");
  }

  /** Shown once the gateway has it, whether or not the stream is there to say so. @param {Entry} entry @param {string} what */
  async #do({ id }, what) {
    const said = await this.#ask("POST", `/v1/inbox/${id}/${what}`);
    if (said) this.#apply({ id, type: what === "read" ? what : "archived", at: said.read_at });
  }

  /** Without a stream, the list says what has been seen, and what became of it. */
  async #readAll() {
    const seen = Math.max(this.#offset, ...[...this.#entries.values()].map((entry) => entry.offset));
    if ((await this.#ask("POST", `/v1/inbox/read-all?through=${seen}`)) && this.#tries) this.#reload();
  }

  #toggled() {
    if (!this.#isOpen) {
      // Who has closed it by the keyboard goes on from where he came.
      if ([document.body, this].includes(/** @type {this} */ (document.activeElement))) this.#button.focus();
      return;
    }
    const at = this.#button.getBoundingClientRect();
    this.#panel.style.left = `${Math.max(12, Math.min(at.right, innerWidth - 12) - this.#panel.offsetWidth)}px`;
    this.#panel.style.top = `${at.bottom + 8}px`;
    this.#heading.focus();
    this.#show();
    if (!this.#loaded || this.#tries) this.#reload();
  }

  /** Arrows go from entry to entry. @param {KeyboardEvent} event */
  #key(event) {
    const items = [...this.#list.children];
    const now = items.findIndex((item) => this.#within(item));
    const to = items[{ ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: items.length - 1 }[event.key] ?? -1];
    if (!to) return;
    event.preventDefault();
    /** @type {HTMLElement} */ (to.firstChild).focus();
  }

  /** Says aloud what has come, and shows it on the device while nobody looks. @param {Entry} entry */
  #tell(entry) {
    const title = entry.title || TITLE;
    this.#aloud.textContent = title;
    const old = Date.now() - Date.parse(entry.created_at) > 120_000;
    if (old || !document.hidden || globalThis.Notification?.permission !== "granted") return;
    try {
      // One tag for all tabs: the device shows it once.
      const shown = new Notification(title, { body: entry.body ?? "", tag: entry.id, lang: this.#lang });
      shown.onclick = () => (focus(), this.open());
    } catch {
      // Some phones allow this to service workers alone.
    }
  }

  /** Whether nobody has prevented what comes of it. @param {string} type @param {any} [detail] */
  #emit(type, detail) {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, cancelable: true }));
  }

  /** @param {string} note */
  #say(note) {
    this.#note = note;
    this.#show();
  }

  /** @param {number} unread */
  #count(unread) {
    if (unread !== this.#unread) {
      this.#unread = unread;
      this.#emit("tocsin-unread", unread);
    }
    this.#show();
  }

  /** Draws what is different. */
  #show() {
    const words = this.#words;
    this.#badge.textContent = this.#unread > 99 ? "99+" : `${this.#unread}`;
    this.#badge.hidden = !this.#unread;
    this.#button.ariaLabel = `${TITLE}, ${words.unread(this.#unread)}`;
    this.#all.textContent = words.all;
    this.#allow.textContent = words.allow;
    this.#more.textContent = words.more;
    this.#empty.children[1].textContent = words.empty;
    this.#all.hidden = !this.#unread;
    this.#more.hidden = !this.#loaded || !this.#next;
    this.#trouble.textContent = this.#note && words[/** @type {"away"} */ (this.#note)];
    this.#trouble.hidden = !this.#note;
    this.#device.hidden = globalThis.Notification?.permission !== "default";
    this.#empty.hidden = !this.#loaded || this.#entries.size > 0;
    this.#showList();
  }

  #showList() {
    const sorted = [...this.#entries.values()].sort((a, b) => b.offset - a.offset);
    for (const [id, [, item]] of this.#items) {
      if (this.#entries.has(id)) continue;
      const near = item.nextElementSibling ?? item.previousElementSibling;
      if (this.#within(item)) (near?.querySelector(".main") ?? this.#heading).focus();
      item.remove();
      this.#items.delete(id);
    }
    let at = this.#list.firstChild;
    for (const entry of sorted) {
      const item = this.#item(entry);
      if (item === at) at = at.nextSibling;
      else this.#list.insertBefore(item, at);
    }
  }

  /** Whether the focus is in there. @param {Element} item */
  #within(item) {
    return item.contains(this.shadowRoot?.activeElement ?? null);
  }

  /** @param {Entry} entry */
  #item(entry) {
    const [drawn, item] = this.#items.get(entry.id) ?? [null, el("li")];
    const time = item.querySelector("time");
    if (time) time.textContent = this.#ago(entry.created_at);
    if (drawn === entry) return item;
    this.#items.set(entry.id, [entry, item]);
    const [words, href, title] = [this.#words, link(entry), entry.title || TITLE];
    const lines = [
      el("b", {}, title),
      el("span", { class: "body" }, entry.body ?? ""),
      el("time", { datetime: entry.created_at }, this.#ago(entry.created_at)),
    ];
    if (!entry.read_at) lines.unshift(el("span", { class: "aside" }, words.fresh));
    const main = href
      ? el("a", { class: "main", href, target: "_blank", rel: "noopener noreferrer" }, ...lines)
      : el("button", { class: "main" }, ...lines);
    const archive = el("button", { class: "act", title: words.archive }, icon(BOX));
    archive.ariaLabel = `${words.archive}: ${title}`;
    main.onclick = (event) => this.#choose(event, entry);
    archive.onclick = () => this.#do(entry, "archive");
    const had = this.#within(item);
    item.className = entry.read_at ? "" : "new";
    item.replaceChildren(main, archive);
    if (had) main.focus();
    return item;
  }

  /** @param {string} at */
  #ago(at) {
    const seconds = Math.max(0, (Date.now() - Date.parse(at)) / 1000);
    const [unit, length] = UNITS.find(([, one]) => seconds >= one) ?? ["second", Infinity];
    return new Intl.RelativeTimeFormat(this.#lang, { numeric: "auto" }).format(-Math.floor(seconds / length), unit);
  }
}

if (!customElements.get("tocsin-bell")) customElements.define("tocsin-bell", TocsinBell);
