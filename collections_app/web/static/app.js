// Conveniences of the keyboard. Every page works without this file.
"use strict";
(() => {
  const typing = (el) => el && (el.matches("input:not([type=radio]):not([type=checkbox]), textarea, select") || el.isContentEditable);
  const rows = () => [...document.querySelectorAll("[data-rows] tr")].filter((tr) => tr.querySelector("a.row"));
  let at = -1;

  function go(step) {
    const all = rows();
    if (!all.length) return;
    all[at]?.classList.remove("at");
    at = Math.max(0, Math.min(all.length - 1, at + step));
    all[at].classList.add("at");
    all[at].querySelector("a.row").focus({ preventScroll: true });
    all[at].scrollIntoView({ block: "nearest" });
  }

  function press(key) {
    const radio = [...document.querySelectorAll("[data-press]")].find((el) => el.dataset.press === key && el.offsetParent);
    if (!radio) return false;
    radio.click();
    radio.focus({ preventScroll: true });
    return true;
  }

  document.addEventListener("keydown", (event) => {
    const dialog = document.getElementById("keys");
    const form = event.target.closest?.("form");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("button.primary") || undefined);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || dialog?.open) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("search")?.focus(); return; }
    if (event.key === "?") { event.preventDefault(); dialog?.showModal(); return; }
    if (press(event.key.toLowerCase())) { event.preventDefault(); return; }
    if (event.key === "j" || event.key === "ArrowDown" && at >= 0) { event.preventDefault(); go(1); return; }
    if (event.key === "k" || event.key === "ArrowUp" && at >= 0) { event.preventDefault(); go(-1); return; }
    const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (target) { event.preventDefault(); target.click(); }
  });

  document.querySelectorAll("[data-help]").forEach((el) => el.addEventListener("click", () => document.getElementById("keys").showModal()));

  // Days that customers name most: one press fills the date.
  document.querySelectorAll("[data-quick]").forEach((row) => {
    row.hidden = false;
    row.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) { const day = document.getElementById(row.dataset.quick); day.value = button.value; day.focus(); }
    });
  });

  // A form is sent once, however often it is pressed.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "dialog") return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
})();
