// Rows that are ticked, and what is done with them. The server asks before it does anything.
(() => {
  let last;

  const bar = () => document.getElementById("selection");
  const picks = () => [...document.querySelectorAll(".pick")];
  const ids = () => picks().filter((pick) => pick.checked).map((pick) => pick.closest("[data-run]").dataset.run);

  function show() {
    const chosen = ids().length;
    bar().hidden = chosen === 0;
    bar().querySelector("[data-chosen]").textContent = `${chosen} selected`;
    bar().querySelector("[data-all]")?.toggleAttribute("hidden", chosen < picks().length);
    const matching = document.getElementById("counts")?.dataset.matching ?? "";
    for (const place of bar().querySelectorAll("[data-matching-count]")) place.textContent = matching;
    if (chosen === 0) document.dispatchEvent(new CustomEvent("tawny:released"));
  }

  function clear() {
    for (const pick of picks()) pick.checked = false;
    last = undefined;
    show();
  }

  function ask(action, chosen) {
    const url = new URL(bar().dataset.ask, location.href);
    url.search = chosen ? "" : location.search;
    url.searchParams.delete("cursor");
    url.searchParams.set("action", action);
    for (const id of chosen || []) url.searchParams.append("ids", id);
    window.htmx.ajax("GET", url.href, { target: "#ask", swap: "innerHTML" });
  }

  document.addEventListener("click", (event) => {
    const pick = event.target.closest(".pick");
    if (pick) {
      const all = picks();
      if (event.shiftKey && last !== undefined && all.indexOf(last) >= 0) {
        const [from, to] = [all.indexOf(last), all.indexOf(pick)].sort((a, b) => a - b);
        for (const between of all.slice(from, to + 1)) between.checked = pick.checked;
      }
      last = pick;
      return show();
    }
    const bulk = event.target.closest("[data-bulk]");
    if (bulk) ask(bulk.dataset.bulk, bulk.hasAttribute("data-matching") ? null : ids());
    if (event.target.closest("[data-clear]")) clear();
  });

  document.addEventListener("tawny:clear", clear);
  document.addEventListener("tawny:act", (event) => ask(event.detail.action, event.detail.ids));
  document.addEventListener("htmx:afterSwap", (event) => event.detail.target.id === "list" && show());
})();
