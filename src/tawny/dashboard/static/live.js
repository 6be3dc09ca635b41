// What happens on the server changes the page: one stream, read only while somebody looks.
//
// <div data-live="URL of a stream" data-refresh="#a,#b"> fetches the page again when something has happened and replaces these parts
// of it; with data-every="seconds" also every so often, for what no stream tells. Progress is written into [data-progress="run id"] as it comes.
(() => {
  const SETTLE = 120; // ms: what happens at once is fetched once
  const PACE = 900; // ms between two fetches, however much happens
  const FIRST_PAUSE = 500;
  const LONGEST_PAUSE = 8000;
  const FACTS = ["triggered", "started", "released", "retrying", "lost", "cancel_requested", "overdue", "completed", "failed", "cancelled"];
  const ENDS = ["completed", "failed", "cancelled"];

  let root, source, place, due, again;
  let pause = FIRST_PAUSE;
  let fetched = 0;
  let missed = false;

  let shown = ["off", "Live"];

  function state(...now) {
    shown = now;
    show();
  }

  function show() {
    const [name, words] = shown;
    for (const place of document.querySelectorAll("[data-live-state]")) {
      place.dataset.state = name;
      if (place.textContent !== words) place.textContent = words;
    }
  }

  function held() {
    return document.querySelector(".pick:checked") !== null;
  }

  function listen() {
    if (source || document.hidden || root.hasAttribute("data-ended")) return;
    const url = new URL(root.dataset.live, location.href);
    if (place) url.searchParams.set("after", place);
    source = new EventSource(url);
    source.addEventListener("open", () => {
      pause = FIRST_PAUSE;
      state("on", "Live");
    });
    // The server's own first message: from here on nothing is missed, so what came before is fetched once more.
    source.addEventListener("open", (message) => message.lastEventId && remember(message));
    for (const kind of FACTS) source.addEventListener(kind, (message) => happened(kind, message));
    source.addEventListener("progress", progress);
    source.onerror = lost;
  }

  function remember(message) {
    place = message.lastEventId;
    refreshSoon();
  }

  function happened(kind, message) {
    place = message.lastEventId;
    refreshSoon();
    if (root.hasAttribute("data-one-run") && ENDS.includes(kind)) {
      root.setAttribute("data-ended", "");
      quiet();
      state("off", "Ended");
    }
  }

  function quiet() {
    source?.close();
    source = undefined;
  }

  // The browser's own way to come back gives up at the first refusal, as from a server that is being started again.
  function lost() {
    quiet();
    state("lost", "Reconnecting…");
    clearTimeout(again);
    again = setTimeout(listen, pause * (0.5 + Math.random() / 2));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }

  function refreshSoon() {
    if (held()) {
      missed = true;
      state("held", "Changes wait while rows are selected");
      return;
    }
    if (due) return;
    due = setTimeout(refresh, Math.max(SETTLE, fetched + PACE - Date.now()));
  }

  async function refresh() {
    due = undefined;
    if (document.hidden || !root.isConnected) return;
    fetched = Date.now();
    const asked = location.href;
    let text;
    try {
      const answer = await fetch(asked, { headers: { "HX-Request": "true", "X-Refresh": "true" } });
      if (answer.status === 401) location.reload();
      if (!answer.ok) return;
      text = await answer.text();
    } catch {
      return; // the stream is lost too, and asks for all of it when it is back
    }
    if (location.href !== asked) return refreshSoon(); // another filter is on by now
    if (held()) {
      missed = true;
      return;
    }
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const selector of root.dataset.refresh.split(",")) put(selector, fresh);
    show();
    document.dispatchEvent(new CustomEvent("htmx:afterSettle"));
  }

  // Only what differs is replaced, so that nothing flickers and the focus stays where it is.
  function put(selector, fresh) {
    let old = document.querySelector(selector);
    let made = fresh.querySelector(selector);
    if (!old !== !made) {
      // The first row has come, or the last one is gone: what is around them differs too.
      old = document.querySelector("[data-whole]");
      made = fresh.querySelector("[data-whole]");
    }
    if (!old || !made) return;
    if (old.dataset.keyed === undefined) {
      if (same(old, made)) return;
      const at = document.activeElement?.id;
      const open = [...old.querySelectorAll("details[open][id]")].map((d) => d.id);
      old.replaceWith(made);
      window.htmx?.process(made);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      if (at && document.activeElement?.id !== at) document.getElementById(at)?.focus({ preventScroll: true });
      return;
    }
    const rows = new Map([...old.children].map((row) => [row.dataset.run, row]));
    let next = old.firstElementChild;
    for (const row of [...made.children]) {
      const known = rows.get(row.dataset.run);
      rows.delete(row.dataset.run);
      if (known && same(known, row)) {
        if (known !== next) old.insertBefore(known, next);
        else next = next.nextElementSibling;
        continue;
      }
      const focused = known?.contains(document.activeElement) ?? false;
      const here = known === next && known ? next.nextElementSibling : next;
      if (known?.classList.contains("at")) row.classList.add("at");
      known ? known.replaceWith(row) : old.insertBefore(row, next);
      if (known && known !== next) old.insertBefore(row, next);
      next = here;
      window.htmx?.process(row);
      if (focused) row.querySelector("a")?.focus({ preventScroll: true });
    }
    for (const gone of rows.values()) gone.remove();
  }

  // Times and durations go on by themselves; that they do is no difference.
  function same(old, made) {
    return plain(old) === plain(made);
  }

  function plain(element) {
    const copy = element.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.removeAttribute("title");
    for (const moving of copy.querySelectorAll("[data-ago],[data-since],[data-local],[data-moving],[data-live-state]")) moving.replaceChildren();
    for (const state of copy.querySelectorAll("[data-live-state]")) delete state.dataset.state;
    copy.classList.remove("at", "htmx-settling", "htmx-swapping", "htmx-added");
    if (copy.getAttribute("class") === "") copy.removeAttribute("class");
    return copy.outerHTML;
  }

  function progress(message) {
    const { run_id, processed, total, message: words } = flat(JSON.parse(message.data));
    for (const place of document.querySelectorAll(`[data-progress="${CSS.escape(run_id)}"]`)) {
      const bar = place.querySelector("progress");
      const percent = total > 0 ? Math.min(100, Math.floor((100 * processed) / total)) : null;
      if (percent === null) bar.removeAttribute("value");
      else {
        bar.max = 100;
        bar.value = percent;
      }
      place.querySelector("[data-message]").textContent = words || "";
      place.querySelector("[data-done]").textContent = percent === null ? processed.toLocaleString("en") : `${percent} %`;
      place.dispatchEvent(new CustomEvent("tawny:progress", { bubbles: true, detail: { processed, total } }));
    }
  }

  function flat(told) {
    return { run_id: told.run_id, ...(told.progress || told) };
  }

  document.addEventListener("DOMContentLoaded", () => {
    root = document.querySelector("[data-live]");
    if (!root) return;
    listen();
    document.addEventListener("visibilitychange", () => (document.hidden ? quiet() : listen()));
    document.addEventListener("tawny:released", () => {
      if (!missed) return;
      missed = false;
      state("on", "Live");
      refreshSoon();
    });
    document.addEventListener("tawny:refresh", refreshSoon);
    const every = Number(root.dataset.every);
    if (every) setInterval(() => document.hidden || held() || refreshSoon(), every * 1000);
    window.addEventListener("pagehide", quiet);
  });
})();
