"use strict";

const at = (id) => document.getElementById(id);
const made = (tag, text, properties = {}) => Object.assign(document.createElement(tag), { textContent: text, ...properties });
const mails = new Map();
let newest = 0;
let chosen = null;

async function json(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function drawList() {
  const wanted = at("search").value.trim().toLowerCase();
  const fitting = [...mails.values()]
    .filter((mail) => `${mail.subject} ${mail.from} ${mail.to.join(" ")}`.toLowerCase().includes(wanted))
    .sort((one, other) => other.id - one.id);
  at("mails").replaceChildren(...fitting.map(row));
  at("empty").hidden = mails.size > 0;
}

function row(mail) {
  const button = made("button", "", { type: "button", onclick: () => show(mail.id) });
  button.setAttribute("aria-current", String(mail.id === chosen));
  const when = new Date(mail.received_at).toLocaleTimeString();
  button.append(made("b", mail.subject || "(no subject)"), made("small", `${mail.to.join(", ")} · ${when} `));
  if (mail.copy) button.append(made("span", "possible copy", { className: "copy" }));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

async function show(id) {
  const mail = await json(`api/messages/${id}`);
  chosen = id;
  history.replaceState(null, "", `#${id}`);
  drawList();
  at("mail").hidden = false;
  at("subject").textContent = mail.subject || "(no subject)";
  const facts = { From: mail.from, To: mail.to.join(", "), Received: new Date(mail.received_at).toLocaleString(), "Message-ID": mail.message_id };
  at("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [made("dt", name), made("dd", value)]));
  const way = mail.headers.find(([name]) => name.toLowerCase() === "list-unsubscribe")?.[1].match(/<(https?:[^>]+)>/)?.[1];
  if (way) at("facts").append(made("dt", "Unsubscribe"), linked(way));
  if (mail.attachments.length) at("facts").append(made("dt", "Attachments"), files(mail));
  const views = [
    ["HTML", mail.html && (() => framed(mail.html))],
    ["Text", mail.text && (() => made("pre", mail.text))],
    ["Headers", () => made("pre", mail.headers.map(([name, value]) => `${name}: ${value}`).join("\n"))],
    ["Source", async () => made("pre", await (await fetch(`api/messages/${id}/source`)).text())],
  ].filter(([, view]) => view);
  at("views").replaceChildren(...views.map(([name, view]) => made("button", name, { type: "button", onclick: (event) => turn(event.target, view) })));
  at("views").firstChild.click();
}

function linked(address) {
  const line = document.createElement("dd");
  line.append(made("a", address, { href: address, target: "_blank", rel: "noopener noreferrer" }));
  return line;
}

function files(mail) {
  const list = document.createElement("dd");
  mail.attachments.forEach((one, place) => {
    const line = document.createElement("div");
    line.append(
      made("a", one.name || "(no name)", { href: `api/messages/${mail.id}/attachments/${place}`, download: "" }),
      ` ${one.content_type}, ${one.size.toLocaleString()} bytes`);
    list.append(line);
  });
  return list;
}

async function turn(button, view) {
  for (const one of at("views").children) one.setAttribute("aria-pressed", String(one === button));
  at("shown").replaceChildren(await view());
}

// A stranger's HTML: no scripts, no forms, nothing of this page; only its links open, in a window of their own.
function framed(html) {
  const frame = made("iframe", "", { title: "The mail's HTML" });
  frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox");
  frame.srcdoc = `<base target="_blank"><meta name="referrer" content="no-referrer">${html}`;
  return frame;
}

async function follow() {
  for (;;) {
    try {
      const page = await json(`api/messages?after=${newest}&wait=25`);
      for (const mail of page.items) {
        mails.set(mail.id, mail);
        newest = Math.max(newest, mail.id);
      }
      at("total").textContent = `(${page.total})`;
      if (page.total === 0) mails.clear();
      drawList();
    } catch {
      at("total").textContent = "(the catcher does not answer)";
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

at("search").oninput = drawList;
at("clear").onclick = async () => {
  await fetch("api/messages", { method: "DELETE" });
  mails.clear();
  at("mail").hidden = true;
  at("total").textContent = "(0)";
  drawList();
};
json("api/behaviours").then(({ items }) =>
  at("behaviours").replaceChildren(...items.map(({ address, effect }) => {
    const line = document.createElement("tr");
    const name = document.createElement("td");
    name.append(made("code", address));
    line.append(name, made("td", effect));
    return line;
  })));
if (Number(location.hash.slice(1))) show(Number(location.hash.slice(1)));
follow();
