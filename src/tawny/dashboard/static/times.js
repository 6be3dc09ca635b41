// Times in the reader's own zone, and durations that go on.
(() => {
  const units = [["d", 86400], ["h", 3600], ["m", 60]];

  function ago(seconds) {
    if (seconds < 1) return "now";
    for (const [unit, size] of units) if (seconds >= size) return `${Math.floor(seconds / size)}${unit} ago`;
    return `${Math.floor(seconds)}s ago`;
  }

  function short(seconds) {
    if (seconds < 10) return `${Math.max(0, Math.floor(seconds * 10) / 10)}s`;
    const [d, h, m, s] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60, seconds % 60].map(Math.floor);
    if (d) return `${d}d ${h}h`;
    if (h) return `${h}h ${m}m`;
    return m ? `${m}m ${s}s` : `${s}s`;
  }

  function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  // The server's clock is the one that counts: the page says what it was when it was made.
  const skew = Number(document.documentElement.dataset.now || Date.now()) - Date.now();

  function tick() {
    if (document.hidden) return;
    const now = Date.now() + skew;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const then = Date.parse(time.dateTime);
      if (then <= now) say(time, ago((now - then) / 1000));
    }
    for (const since of document.querySelectorAll("[data-since]")) say(since, short((now - Date.parse(since.dataset.since)) / 1000));
  }

  function localise(root) {
    for (const time of root.querySelectorAll("time:not([title])")) time.title = `${time.dateTime.slice(0, 19).replace("T", " ")} UTC`;
    for (const time of root.querySelectorAll("time[data-local]")) {
      say(time, new Date(time.dateTime).toLocaleString(undefined, JSON.parse(time.dataset.local || "null") || { dateStyle: "medium", timeStyle: "medium" }));
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    localise(document);
    tick();
    setInterval(tick, 1000);
  });
  document.addEventListener("visibilitychange", tick);
  document.addEventListener("htmx:afterSettle", () => {
    localise(document);
    tick();
  });
})();
