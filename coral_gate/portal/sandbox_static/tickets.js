// Coral Gate puts this first into the page of a sandbox's own UI. Whatever opens a WebSocket to this host afterwards gets one
// that fetches a ticket before it connects; the UI notices nothing. Sockets to anywhere else are the browser's own.
(() => {
  "use strict";
  if (window.__coralGate) return; // loaded twice, a socket would ask for two tickets
  Object.defineProperty(window, "__coralGate", { value: true });

  // What the page does to these later is its own affair.
  const Native = window.WebSocket;
  const fetch = window.fetch.bind(window);
  const { document, location, history, setTimeout } = window;
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

  // -- the address -----------------------------------------------------------------------------------------------------
  // A link must not hand the UI a secret, or another gateway to give its own to.
  const TAKEN = ["token", "password", "gatewayUrl", "bootstrapToken", "bootstrapProfile"];
  const without = (text, mark) => {
    const fields = new URLSearchParams(text.slice(1));
    if (!TAKEN.some((name) => fields.has(name))) return text;
    TAKEN.forEach((name) => fields.delete(name));
    return fields.size ? mark + fields : "";
  };
  const search = without(location.search, "?"), hash = without(location.hash, "#");
  if (search !== location.search || hash !== location.hash) history.replaceState(history.state, "", location.pathname + search + hash);

  // -- what people see -------------------------------------------------------------------------------------------------
  const SENTENCES = {
    4401: "Your session at the gate has ended.",
    4403: "You may not use this sandbox any more, or it is locked.",
    4404: "This sandbox is no longer there.",
    4408: "The connection was idle for too long.",
    4409: "The gate is restarting; the page connects again by itself.",
  };
  let dialog = null, signedOut = false;

  // A modal dialog, since it alone lies above the UI's own; text only as text, for the reason comes over the network.
  const show = (sentence, link) => {
    hide();
    dialog = document.createElement("dialog");
    const words = document.createElement("p");
    words.textContent = sentence;
    dialog.append(words);
    if (link) {
      const way = document.createElement("a");
      way.textContent = "Sign in again (opens a new tab)";
      way.href = location.pathname; // a visit without a session leads to the portal, and back
      way.target = "_blank";
      way.rel = "noopener";
      dialog.append(way);
    }
    const button = document.createElement("button");
    button.textContent = "Close";
    button.style.marginInlineStart = "1em";
    button.addEventListener("click", hide);
    dialog.append(button);
    document.documentElement.append(dialog);
    dialog.showModal();
  };
  const hide = () => {
    dialog?.remove();
    dialog = null;
  };
  const tell = (code, reason) => {
    if (code === 4409 || code === 4408 || !SENTENCES[code]) return; // the UI reconnects, and says so itself
    show(reason || SENTENCES[code], code === 4401); // the gate's reason is a sentence for a person
  };
  // Connected again: what was said stays to be read for a moment, and nobody has to click it away to go on.
  const relent = () => {
    if (!dialog?.open) return;
    const shown = dialog;
    shown.close();
    shown.show();
    setTimeout(() => shown === dialog && hide(), 8000);
  };

  // -- tickets ---------------------------------------------------------------------------------------------------------
  const PAUSES = [250, 500];
  const TICKET = /^[A-Za-z0-9_-]{43}$/;
  let spare = null; // from a look whether somebody is signed in again

  // Gives a ticket, null where there is none to be had, or undefined where asking again may help.
  const ask = async (signal) => {
    let answer;
    try {
      answer = await fetch("/.gate/ticket", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: '{"channel":"control"}',
        credentials: "same-origin", redirect: "manual", cache: "no-store", signal,
      });
      if (answer.ok) {
        const { ticket } = await answer.json();
        return TICKET.test(ticket) ? ticket : null;
      }
    } catch {
      return undefined;
    }
    if (answer.status === 401 && !signedOut) {
      signedOut = true;
      show("You are signed out of the gate. What you were writing is still here.", true);
    }
    return answer.status === 429 || answer.status >= 500 ? undefined : null;
  };

  const newTicket = async (signal) => {
    const kept = spare;
    spare = null;
    if (kept && Date.now() - kept.at < 10000) return kept.ticket;
    for (let tries = 0; !signedOut && !signal.aborted; tries++) {
      const ticket = await ask(signal);
      if (ticket !== undefined || tries >= PAUSES.length) return ticket;
      await sleep(PAUSES[tries]);
    }
    return null; // while signed out nobody is asked: the UI would do so for ever
  };

  // Somebody who comes back to this tab may have signed in elsewhere.
  let looking = false;
  const look = async () => {
    if (!signedOut || looking || document.visibilityState === "hidden") return;
    looking = true;
    const ticket = await ask(undefined);
    looking = false;
    if (!ticket) return;
    spare = { ticket, at: Date.now() };
    signedOut = false;
    hide();
  };
  window.addEventListener("focus", look);
  document.addEventListener("visibilitychange", look);

  // -- the look-alike --------------------------------------------------------------------------------------------------
  // Everything is on its own prototype, where noVNC looks; it has exactly one close event, never before its maker can listen.
  class GateSocket extends EventTarget {
    static { // as Web IDL has them: on the class and on its prototype
      ["CONNECTING", "OPEN", "CLOSING", "CLOSED"].forEach((name, value) => {
        for (const on of [this, this.prototype]) Object.defineProperty(on, name, { value, enumerable: true });
      });
      for (const type of ["open", "message", "error", "close"]) {
        Object.defineProperty(this.prototype, "on" + type, {
          configurable: true, enumerable: true,
          get() { return this.#on[type] ?? null; },
          set(listener) {
            if (!(type in this.#on)) this.addEventListener(type, (event) => this.#on[type]?.call(this, event));
            this.#on[type] = typeof listener === "function" ? listener : null;
          },
        });
      }
      Object.defineProperty(this, Symbol.hasInstance, { value: (it) => it instanceof Native || (it instanceof EventTarget && #on in it) });
    }

    #on = {}; #native = null; #state = 0; #done = false; #binary = "blob"; #url; #stop = new AbortController();

    constructor(url, protocols = []) {
      const to = own(url);
      const offered = typeof protocols === "string" ? [protocols] : [...protocols];
      if (!to || offered.some((name) => String(name).startsWith("coral."))) return new Native(url, protocols);
      super();
      this.#url = to;
      this.#begin(offered);
    }

    async #begin(offered) {
      await null; // nothing is dispatched before the constructor has returned
      const ticket = await newTicket(this.#stop.signal);
      if (this.#state !== 0) return; // closed meanwhile: `close` ends it
      if (!ticket) return this.#fail();
      try {
        this.#native = new Native(this.#url, ["coral.v1", "coral.ticket." + ticket, ...offered]);
      } catch {
        return this.#fail();
      }
      this.#native.binaryType = this.#binary;
      this.#native.addEventListener("open", () => {
        relent();
        this.dispatchEvent(new Event("open"));
      });
      this.#native.addEventListener("error", () => this.dispatchEvent(new Event("error")));
      this.#native.addEventListener("message", ({ data, origin }) => this.dispatchEvent(new MessageEvent("message", { data, origin })));
      this.#native.addEventListener("close", ({ code, reason, wasClean }) => this.#end(code, reason, wasClean));
    }

    #fail() {
      this.#state = 3;
      this.dispatchEvent(new Event("error"));
      this.#end(1006, "", false);
    }

    #end(code, reason, wasClean) {
      if (this.#done) return;
      this.#done = true;
      this.#state = 3;
      tell(code, reason);
      this.dispatchEvent(new CloseEvent("close", { code, reason, wasClean }));
    }

    get url() { return this.#url; }
    get readyState() { return this.#native && !this.#done ? this.#native.readyState : this.#state; }
    get bufferedAmount() { return this.#native?.bufferedAmount ?? 0; }
    get extensions() { return this.#native?.extensions ?? ""; }
    get protocol() {
      const chosen = this.#native?.protocol ?? "";
      return chosen === "coral.v1" ? "" : chosen; // between the gate and this script
    }
    get binaryType() { return this.#binary; }
    set binaryType(kind) {
      if (kind !== "blob" && kind !== "arraybuffer") return;
      this.#binary = kind;
      if (this.#native) this.#native.binaryType = kind;
    }

    send(message) {
      if (this.readyState === 0) throw new DOMException("Still in CONNECTING state.", "InvalidStateError");
      this.#native?.send(message);
    }

    close(code, reason = "") {
      if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
        throw new DOMException("The code must be 1000, or between 3000 and 4999.", "InvalidAccessError");
      }
      if (new TextEncoder().encode(reason).length > 123) throw new DOMException("The reason is too long.", "SyntaxError");
      if (this.#native) return code === undefined ? this.#native.close() : this.#native.close(code, String(reason));
      if (this.#state !== 0) return;
      this.#state = 2;
      this.#stop.abort();
      setTimeout(() => this.#fail(), 0);
    }
  }

  // The address as a WebSocket's where it is on this host, else null: then the browser's own class says what it thinks of it.
  function own(url) {
    let to;
    try {
      to = new URL(String(url), document.baseURI);
    } catch {
      return null;
    }
    if (to.hash || to.host !== location.host) return null;
    to.protocol = to.protocol.replace(/^http/, "ws");
    return to.protocol === (location.protocol === "https:" ? "wss:" : "ws:") ? to.href : null;
  }

  window.WebSocket = GateSocket;
  Object.defineProperty(GateSocket, "name", { value: "WebSocket" });
})();
