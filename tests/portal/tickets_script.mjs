// The script that sandboxes' pages get, in a window of the test's own; run by test_tickets_script.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const SCRIPT = readFileSync(new URL("../../coral_gate/portal/sandbox_static/tickets.js", import.meta.url), "utf8");
const TICKET = "t".repeat(43);
const turn = (ms = 5) => new Promise((done) => setTimeout(done, ms));

class CloseEvent extends Event {
  constructor(type, { code, reason, wasClean }) {
    super(type);
    Object.assign(this, { code, reason, wasClean });
  }
}

function page({ answers = [], href = "https://a.sbx.localhost:8443/chat" } = {}) {
  const made = [], asked = [], shown = [], replaced = [];
  class Native extends EventTarget {
    constructor(url, protocols) {
      super();
      if (String(url) === "wss://[") throw new DOMException("bad", "SyntaxError");
      Object.assign(this, { url: String(url), protocols, readyState: 0, protocol: "", sent: [], closed: [], binaryType: "blob" });
      made.push(this);
    }
    send(message) { this.sent.push(message); }
    close(...how) { this.closed.push(how); }
    opens() { this.readyState = 1; this.protocol = "coral.v1"; this.dispatchEvent(new Event("open")); }
    ends(code, reason = "") { this.readyState = 3; this.dispatchEvent(new CloseEvent("close", { code, reason, wasClean: true })); }
  }
  const element = (name) => Object.assign(new EventTarget(), {
    name, style: {}, children: [], append(...more) { this.children.push(...more); }, showModal() { shown.push(this); },
    remove() { shown.splice(shown.indexOf(this), 1); },
  });
  const url = new URL(href);
  const window = Object.assign(new EventTarget(), {
    WebSocket: Native, location: url, setTimeout: (what, ms) => setTimeout(what, ms && 1),
    document: Object.assign(new EventTarget(), { baseURI: href, visibilityState: "visible", createElement: element, documentElement: element("html") }),
    history: { state: 7, replaceState: (...how) => replaced.push(how) },
    fetch: (path, how) => {
      asked.push({ path, how });
      const answer = answers.length > 1 ? answers.shift() : answers[0] ?? 200;
      if (answer === "hang") return new Promise((_, no) => how.signal.addEventListener("abort", () => no(new Error("aborted"))));
      if (answer === "broken") return Promise.reject(new TypeError("network"));
      return Promise.resolve({ ok: answer === 200, status: answer, json: async () => ({ ticket: TICKET }) });
    },
  });
  const world = vm.createContext({
    window, URL, URLSearchParams, Event, EventTarget, MessageEvent, CloseEvent, AbortController, TextEncoder, DOMException, Symbol, Date,
  });
  const load = () => vm.runInContext(SCRIPT, world);
  load();
  const open = (to = "wss://a.sbx.localhost:8443/", protocols) => {
    const events = [], socket = new window.WebSocket(to, ...(protocols === undefined ? [] : [protocols]));
    for (const type of ["open", "error", "message", "close"]) {
      socket.addEventListener(type, (event) => events.push(type === "close" ? ["close", event.code, socket.readyState] : type));
    }
    return { socket, events };
  };
  return { window, Native, made, asked, shown, replaced, answers, load, open };
}

const closes = (events) => events.filter((event) => event[0] === "close").length;

test("a socket connects with a ticket that was asked for in the right way", async () => {
  const { open, made, asked } = page();
  const { socket, events } = open();
  assert.equal(made.length, 0);
  await turn();
  assert.deepEqual([...made[0].protocols], ["coral.v1", "coral.ticket." + TICKET]);
  const { method, body, redirect, cache, credentials } = asked[0].how;
  assert.deepEqual([asked[0].path, method, body, redirect, cache, credentials],
    ["/.gate/ticket", "POST", '{"channel":"control"}', "manual", "no-store", "same-origin"]);
  made[0].opens();
  made[0].dispatchEvent(new MessageEvent("message", { data: "x", origin: "o" }));
  socket.send("y");
  assert.deepEqual([events, made[0].sent, socket.readyState, socket.protocol], [["open", "message"], ["y"], 1, ""]);
  made[0].ends(4001, "why");
  made[0].ends(4001, "again");
  assert.deepEqual(events.slice(2), [["close", 4001, 3]]);
});

test("each socket has a ticket of its own", async () => {
  const { open, asked } = page();
  open(); open();
  await turn();
  assert.equal(asked.length, 2);
});

test("one close event, whenever it is closed, and none before the maker can listen", async () => {
  for (const answer of [200, 401, 403, 404, 429, 500, "broken", "hang"]) {
    for (const wait of [null, 0, 1, 5, 20]) {
      const { open, made } = page({ answers: [answer] });
      const { socket, events } = open();
      if (wait !== null) await turn(wait);
      socket.close(); socket.close();
      assert.ok(socket.readyState >= 2 || made.length);
      await turn(20);
      made[0]?.ends(1000);
      await turn();
      assert.equal(closes(events), 1, `${answer} ${wait}`);
      assert.equal(socket.readyState, 3);
    }
  }
});

test("closed before its ticket is there, it stops asking and says 1006", async () => {
  const { open, made, asked } = page({ answers: ["hang"] });
  const { socket, events } = open();
  await turn();
  socket.close();
  assert.equal(socket.readyState, 2);
  assert.deepEqual(events, []);
  await turn();
  assert.deepEqual([events, made.length, asked[0].how.signal.aborted], [["error", ["close", 1006, 3]], 0, true]);
});

test("what a WebSocket refuses is refused", async () => {
  const { open, window } = page();
  const { socket } = open();
  assert.throws(() => socket.send("x"), { name: "InvalidStateError" });
  assert.throws(() => socket.close(1001), { name: "InvalidAccessError" });
  assert.throws(() => socket.close(5000), { name: "InvalidAccessError" });
  assert.throws(() => socket.close(3000, "é".repeat(62)), { name: "SyntaxError" });
  assert.throws(() => new window.WebSocket("wss://["), { name: "SyntaxError" });
  assert.throws(() => window.WebSocket("wss://a.sbx.localhost:8443/"), { name: "TypeError" });
});

test("sockets to anywhere else are the browser's own, without a ticket", async () => {
  const { open, Native, asked, window } = page();
  for (const to of ["wss://elsewhere.example/", "wss://a.sbx.localhost/", "wss://a.sbx.localhost:8444/", "ws://a.sbx.localhost:8443/"]) {
    const { socket } = open(to, ["p"]);
    assert.ok(Object.getPrototypeOf(socket) === Native.prototype && socket instanceof window.WebSocket, to);
    assert.deepEqual(socket.protocols, ["p"]);
  }
  await turn();
  assert.equal(asked.length, 0);
  for (const to of ["/x", "https://a.sbx.localhost:8443/x"]) assert.equal(open(to).socket.url, "wss://a.sbx.localhost:8443/x");
});

test("noVNC finds what it looks for on the object's own prototype", () => {
  const { open, window } = page();
  const { socket } = open();
  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(socket));
  for (const name of ["send", "close", "binaryType", "onerror", "onmessage", "onopen", "protocol", "readyState"]) assert.ok(own.includes(name), name);
  assert.deepEqual([window.WebSocket.OPEN, socket.CLOSED, window.WebSocket.name], [1, 3, "WebSocket"]);
  assert.ok(socket instanceof window.WebSocket);
  assert.ok(!({} instanceof window.WebSocket));
});

test("on-listeners are called, replaced and taken away", async () => {
  const { open, made } = page();
  const { socket } = open();
  const heard = [];
  socket.onopen = () => heard.push("first");
  socket.onopen = function () { heard.push(this === socket); };
  socket.onmessage = () => heard.push("message");
  socket.onmessage = null;
  await turn();
  made[0].opens();
  made[0].dispatchEvent(new MessageEvent("message", { data: "x" }));
  assert.deepEqual(heard, [true]);
});

test("the kind of binary messages is kept until there is a socket", async () => {
  const { open, made } = page();
  const { socket } = open();
  socket.binaryType = "arraybuffer";
  await turn();
  assert.equal(made[0].binaryType, "arraybuffer");
});

test("it asks again where that may help, and nowhere else", async () => {
  for (const [answers, times] of [[[500, 200], 2], [["broken", "broken", 200], 3], [[429, 429, 429, 200], 3], [[403], 1], [[404], 1], [[0], 1]]) {
    const it = page({ answers: [...answers] });
    it.open();
    await turn(20);
    assert.equal(it.asked.length, times, String(answers));
  }
});

test("signed out, it says so once and asks no more until somebody comes back; then all goes on", async () => {
  const it = page({ answers: [401, 200] });
  const { events } = it.open();
  await turn();
  assert.deepEqual(events, ["error", ["close", 1006, 3]]);
  const later = it.open();
  await turn();
  assert.deepEqual([it.asked.length, it.shown.length, closes(later.events)], [1, 1, 1]);
  const link = it.shown[0].children[1];
  assert.deepEqual([link.href, link.target, link.rel], ["/chat", "_blank", "noopener"]);
  it.window.dispatchEvent(new Event("focus"));
  await turn();
  assert.deepEqual([it.asked.length, it.shown.length], [2, 0]);
  it.open();
  await turn();
  assert.deepEqual([it.asked.length, it.made.length], [2, 1]);
});

test("why the gate cut a socket is shown as text; a close of the sandbox's own is not", async () => {
  for (const [code, seen] of [[4401, 1], [4403, 1], [4404, 1], [4408, 0], [4409, 0], [4001, 0], [1006, 0], [1000, 0]]) {
    const it = page();
    it.open();
    await turn();
    it.made[0].ends(code, "<b>locked</b>");
    assert.equal(it.shown.length, seen, String(code));
    if (seen) assert.ok(it.shown[0].children[0].textContent === "<b>locked</b>");
  }
});

test("loaded twice it is there once", async () => {
  const it = page();
  const before = it.window.WebSocket;
  it.load();
  assert.equal(it.window.WebSocket, before);
});

test("secrets and other gateways are taken out of the address, and nothing else", () => {
  const host = "https://a.sbx.localhost:8443/chat";
  for (const [tail, left] of [["?token=x", ""], ["?a=1&gatewayUrl=wss%3A%2F%2Fevil", "?a=1"], ["#password=x&token=y", ""], ["?session=s#bootstrapToken=t&b=2", "?session=s#b=2"]]) {
    assert.deepEqual(page({ href: host + tail }).replaced, [[7, "", "/chat" + left]]);
  }
  assert.deepEqual(page({ href: host + "?session=a%3Ab#x" }).replaced, []);
});
