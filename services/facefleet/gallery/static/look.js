// Before the page is painted: the look that was chosen, or the system's.
(() => {
  const kept = localStorage.getItem("look");
  if (kept) document.documentElement.dataset.look = kept;
})();
