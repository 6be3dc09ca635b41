// The filters of a list: what they leave in the address, and what happens while somebody still types.
(() => {
  let typed;

  function sorted(address) {
    const given = new URL(address, location.href).searchParams;
    given.sort();
    return given.toString();
  }

  function search(event) {
    return new URL(event.detail.pathInfo.finalRequestPath, location.href).searchParams.get("search") ?? "";
  }

  // What is empty is no filter.
  document.addEventListener("htmx:configRequest", (event) => {
    if (!event.detail.elt.matches("[data-filters]")) return;
    for (const [name, text] of [...event.detail.formData]) if (text === "") event.detail.formData.delete(name);
  });

  // To leave a field is a change of it to the browser, also when what is in it was asked for already.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.detail.elt.matches("[data-filters]")) return;
    if (sorted(event.detail.pathInfo.finalRequestPath) === sorted(location.href)) event.preventDefault();
  });

  // What is typed while an answer is on its way is not lost to that answer, and is asked for next.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const field = document.activeElement;
    typed = event.detail.target.id === "list" && field?.id === "search" && field.value !== search(event) ? field : undefined;
  });

  document.addEventListener("htmx:afterSwap", () => {
    if (!typed) return;
    const field = document.getElementById("search");
    field.value = typed.value;
    field.focus();
    field.setSelectionRange(typed.selectionStart, typed.selectionEnd);
  });

  // Only now the new form listens.
  document.addEventListener("htmx:afterSettle", () => {
    if (!typed) return;
    typed = undefined;
    document.getElementById("search").dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
