// The keyboard. Letters do nothing while somebody types, and nothing with Ctrl, Alt or Meta.
(() => {
  let going = 0;

  function typing(target) {
    return target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]") !== null;
  }

  function rows() {
    return [...document.querySelectorAll("[data-run]")];
  }

  function current() {
    return document.querySelector("[data-run].at");
  }

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(current()) + step))];
    for (const row of all) row.classList.toggle("at", row === next);
    next.querySelector("a.to").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function press(selector) {
    document.querySelector(selector)?.click();
  }

  function act(action) {
    if (document.querySelector(".pick:checked")) return press(`[data-bulk="${action}"]:not([data-matching])`);
    const row = current();
    if (row) return document.dispatchEvent(new CustomEvent("tawny:act", { detail: { action, ids: [row.dataset.run] } }));
    press(`[data-key="${action === "cancel" ? "c" : "r"}"]`);
  }

  const keys = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => document.getElementById("help")?.showModal(),
    j: () => move(1),
    k: () => move(-1),
    x: (event) => current()?.querySelector(".pick")?.dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: event.shiftKey })),
    X: (event) => keys.x(event),
    c: () => act("cancel"),
    r: () => act("retry"),
    g: () => (going = Date.now() + 1200),
    Escape: () => document.dispatchEvent(new CustomEvent("tawny:clear")),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if (typing(event.target)) {
      if (event.key !== "Escape") return;
      event.preventDefault(); // which would empty a search
      event.target.blur();
      return;
    }
    if (Date.now() < going) {
      going = 0;
      const place = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (place) {
        event.preventDefault();
        place.click();
      }
      return;
    }
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key](event);
  });
})();
