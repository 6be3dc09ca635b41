// What every page does by itself: dialogs, menus, copying.
(() => {
  function open(dialog) {
    if (!dialog.open) dialog.showModal();
  }

  // On a telephone the menu is wider than the window.
  document.querySelector(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  document.addEventListener("click", (event) => {
    const opens = event.target.closest("[data-opens]");
    if (opens) return open(document.getElementById(opens.dataset.opens));
    const closes = event.target.closest("[data-closes]");
    if (closes) return closes.closest("dialog").close();
    const copies = event.target.closest("[data-copies]");
    if (copies) return copy(copies);
    for (const menu of document.querySelectorAll("details[data-menu][open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // A question that the server has put into its dialog is asked.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "ask") open(event.detail.target);
  });

  // Also an answer that is no success is shown where the answer was to go.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 401) return location.reload();
    if (event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("content-type")?.startsWith("text/html")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  async function copy(button) {
    const text = document.getElementById(button.dataset.copies).textContent;
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it and press Ctrl-C";
      getSelection().selectAllChildren(document.getElementById(button.dataset.copies));
    }
    setTimeout(() => (button.textContent = said), 1500);
  }

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
})();
