// SPDX-License-Identifier: Apache-2.0
// Comfort only: every page works without this file.
"use strict";
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || !navigator.clipboard) return;
  const source = document.getElementById(button.dataset.copy);
  navigator.clipboard.writeText(source.textContent.trim()).then(() => {
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 1600);
  });
});
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.defaultPrevented) return;
  setTimeout(() => { button.disabled = true; }, 0);
  setTimeout(() => { button.disabled = false; }, 4000);
});
document.documentElement.classList.add("has-script");
// What changes while the page is open; without it a reload shows the same.
(() => {
  if (!document.body.dataset.live || !window.EventSource) return;
  let source = null;
  const listen = () => {
    if (source || document.hidden) return;
    source = new EventSource(document.body.dataset.live);
    source.addEventListener("news", (event) => {
      const news = JSON.parse(event.data);
      document.querySelectorAll("[data-live-todo]").forEach((badge) => {
        badge.hidden = news.todos === 0;
        badge.textContent = news.todos;
      });
      document.querySelectorAll("[data-live-notices]").forEach((badge) => {
        badge.hidden = !news.notices;
        badge.textContent = news.notices;
      });
      if (!news.first) document.body.dispatchEvent(new Event("lingqu-facts"));
    });
    source.addEventListener("work", () => document.body.dispatchEvent(new Event("lingqu-work")));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) source = null;
    });
  };
  const leave = () => {
    if (source) source.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
  window.addEventListener("pagehide", leave);
  listen();
})();
