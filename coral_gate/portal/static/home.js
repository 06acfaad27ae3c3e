// Keeps the cards of a person's first page true while it is looked at. Without it the page is as true as when it was loaded.
(() => {
  "use strict";
  const EVERY_MS = 4000;
  const said = document.getElementById("told");
  let over = false;

  // All text is put in as text: names and reasons come from elsewhere.
  const make = (name, attributes = {}, ...inner) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inner);
    return made;
  };

  const row = ({ label, told }) =>
    make("li", { class: "row", "data-stream": label }, make("span", { class: "soft" }, told),
      make("form", { method: "post", action: "/streams/cut" },
        make("input", { type: "hidden", name: "stream", value: label }), make("button", { type: "submit" }, "Disconnect")));

  // Only what has changed is touched, so that the focus stays where it is.
  const renew = (card, { name, state, told, connected }) => {
    const shown = card.querySelector(".state"), word = shown.querySelector(".word");
    if (word.textContent !== told) {
      word.textContent = told;
      said.textContent = `${name}: ${told}`;
    }
    shown.dataset.state = state;
    const list = card.querySelector("ul");
    const labels = new Set(connected.map((one) => one.label));
    for (const item of [...list.children]) if (!labels.has(item.dataset.stream)) item.remove();
    const there = new Set([...list.children].map((item) => item.dataset.stream));
    for (const one of connected) if (!there.has(one.label)) list.append(row(one));
  };

  const look = async () => {
    if (over || document.visibilityState === "hidden") return;
    let answer;
    try {
      answer = await fetch("/live", { headers: { Accept: "application/json" }, cache: "no-store", redirect: "manual" });
    } catch {
      return; // the gate is away for a moment
    }
    if (answer.status === 401) {
      over = true;
      const way = make("a", { href: "/sign-in", class: "primary" }, "Sign in again");
      document.querySelector("main").prepend(make("p", { role: "alert" }, "You are signed out. ", way));
    }
    if (!answer.ok) return;
    for (const sandbox of (await answer.json()).sandboxes) {
      const card = document.querySelector(`[data-sandbox="${CSS.escape(sandbox.id)}"]`);
      if (card) renew(card, sandbox);
    }
  };

  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
  look();
})();
