// One run while it is watched: how fast it is, how long it may still take, and the end of its log.
(() => {
  const LOOK = 1000; // ms between two looks for new lines, while the run is under way and the page is seen

  function short(seconds) {
    if (seconds < 60) return `${Math.max(1, Math.round(seconds))}s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${Math.floor(seconds % 60)}s`;
    return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  }

  // Of the last half minute, so that it says how fast it is and not how fast it was.
  const seen = [];

  function pace({ processed, total }) {
    const now = Date.now() / 1000;
    if (seen.length && processed < seen.at(-1)[1]) seen.length = 0;
    seen.push([now, processed]);
    while (seen.length > 2 && now - seen[0][0] > 30) seen.shift();
    const [then, before] = seen[0];
    const rate = now - then > 0.8 ? (processed - before) / (now - then) : 0;
    const place = document.querySelector(".pace");
    if (!place || rate <= 0) return;
    const speed = `${rate >= 10 ? Math.round(rate).toLocaleString("en") : rate.toFixed(1)} a second`;
    place.textContent = total > processed ? `${speed} · about ${short((total - processed) / rate)} left` : speed;
  }

  const log = () => document.getElementById("log");
  const under = () => !document.querySelector("[data-live]").hasAttribute("data-ended");

  function atEnd() {
    return log().scrollHeight - log().scrollTop - log().clientHeight < 40;
  }

  let looking = false;

  async function look() {
    const lines = document.getElementById("lines");
    if (!lines || looking || document.hidden) return;
    looking = true;
    try {
      const url = new URL(log().dataset.tail, location.href);
      url.search = new URLSearchParams(new FormData(document.getElementById("log-form")));
      url.searchParams.set("after", lines.lastElementChild?.dataset.seq || 0);
      const answer = await fetch(url, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(`<ol>${await answer.text()}</ol>`, "text/html").querySelectorAll("li");
      // What was searched for may have changed meanwhile.
      if (!fresh.length || !lines.isConnected) return;
      const follow = atEnd();
      lines.append(...fresh);
      document.getElementById("no-lines")?.remove();
      if (follow) log().scrollTop = log().scrollHeight;
      document.dispatchEvent(new CustomEvent("htmx:afterSettle"));
    } catch {
      // The server is away; the next look begins where this one would have.
    } finally {
      looking = false;
    }
  }

  document.addEventListener("tawny:progress", (event) => pace(event.detail));
  document.addEventListener("DOMContentLoaded", () => {
    log().scrollTop = log().scrollHeight;
    let rest = 2; // looks after the end, for the last lines
    setInterval(() => (under() || rest-- > 0) && look(), LOOK);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "log") log().scrollTop = log().scrollHeight;
  });
})();
