"use strict";

const look = document.getElementById("look");
look.hidden = false;
look.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.look
    ? root.dataset.look === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.look = dark ? "light" : "dark";
  localStorage.setItem("look", root.dataset.look);
});

// A filter that changes is shown at once; the button is for those without scripts.
const filters = document.querySelector(".filters");
filters?.addEventListener("change", (event) => {
  if (event.target.id === "device") document.getElementById("camera").value = "";
  if (event.target.id === "hour" && !document.getElementById("day").value) {
    document.getElementById("day").value = new Date().toISOString().slice(0, 10);
  }
  filters.requestSubmit();
});

// A picture that did not come is asked for again: the bucket may not have answered at that moment.
const AGAIN_AFTER_MS = [1000, 3000, 9000];
function again(picture) {
  const tries = Number(picture.dataset.tries ?? 0);
  if (tries === AGAIN_AFTER_MS.length) return;
  picture.dataset.tries = tries + 1;
  setTimeout(() => picture.setAttribute("src", picture.getAttribute("src")), AGAIN_AFTER_MS[tries]);
}
document.addEventListener("error", ({ target }) => target instanceof HTMLImageElement && again(target), true);
// Those that failed before this script was there; one that is not loaded yet, as it is not in sight, is not complete.
[...document.images].filter((picture) => picture.complete && picture.currentSrc && !picture.naturalWidth).forEach(again);

const cards = document.getElementById("cards");
const CARDS_MOST = 600;

// New faces, as they come.
let news = 0;
function show({ visit, card }) {
  const article = document.createElement("article");
  article.dataset.visit = visit;
  article.className = "new";
  article.append(...new DOMParser().parseFromString(card, "text/html").body.children);
  cards.querySelector(`article[data-visit="${CSS.escape(visit)}"]`)?.remove();
  cards.prepend(article);
  document.getElementById("none")?.remove();
  while (cards.children.length > CARDS_MOST) cards.lastElementChild.remove();
  news += 1;
  document.getElementById("news").textContent = `${news} new ${news === 1 ? "picture" : "pictures"} since this page was opened.`;
}
if (cards?.dataset.live) {
  const stream = new EventSource(cards.dataset.live);
  stream.addEventListener("face", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) {
      document.getElementById("news").textContent = "New faces are not shown any more: load the page anew.";
    }
  });
}

// Older faces below, without leaving the page.
const older = document.getElementById("older");
older?.addEventListener("click", async (event) => {
  event.preventDefault();
  older.setAttribute("aria-busy", "true");
  const answer = await fetch(older.href);
  if (!answer.ok || answer.redirected) {
    location.assign(older.href);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const more = [...page.querySelectorAll("#cards > article")];
  cards.append(...more);
  more[0]?.querySelector("a").focus();
  const next = page.getElementById("older");
  if (next) older.href = next.getAttribute("href");
  else older.remove();
  older.removeAttribute("aria-busy");
});

// Keys.
function step(key) {
  const links = [...document.querySelectorAll(".cards a.card")];
  const at = links.indexOf(document.activeElement);
  if (at < 0) return links[0];
  if (key === "ArrowRight") return links[at + 1];
  if (key === "ArrowLeft") return links[at - 1];
  const top = (link) => link.getBoundingClientRect().top;
  const here = links[at].getBoundingClientRect();
  const rows = links.filter((link) =>
    key === "ArrowDown" ? top(link) > here.bottom - 4 : top(link) < here.top - 4);
  const row = rows.map(top).reduce((best, y) => (best === null || Math.abs(y - here.top) < Math.abs(best - here.top) ? y : best), null);
  return rows
    .filter((link) => Math.abs(top(link) - row) < 4)
    .sort((one, other) => Math.abs(one.getBoundingClientRect().left - here.left) - Math.abs(other.getBoundingClientRect().left - here.left))[0];
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("input, select, textarea")) return;
  const link = { ArrowLeft: "before", ArrowRight: "after", Escape: "all", o: "older" }[event.key];
  const goal = link && document.getElementById(link);
  if (goal) {
    event.preventDefault();
    goal.click();
  } else if (event.key === "/" && document.getElementById("device")) {
    event.preventDefault();
    document.getElementById("device").focus();
  } else if (cards && event.key.startsWith("Arrow")) {
    const next = step(event.key);
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
});

// The fleet's page keeps itself up to date.
const fleet = document.getElementById("fleet");
if (fleet) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href);
      if (answer.redirected) location.reload();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("fleet");
      if (fresh) fleet.replaceChildren(...fresh.childNodes);
    } catch {
      document.getElementById("fleet-age").textContent = "The gallery does not answer: this is what was known before.";
    }
  }, 5000);
}
