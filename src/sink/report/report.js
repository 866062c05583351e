// The report: moments can be filtered, and lead to their place in the video.
(() => {
  const root = document.documentElement;
  const cards = [...document.querySelectorAll(".moments > li")];
  if (cards.length >= 10) page.filterable(document.querySelector(".moments"), cards, "filter the moments");
  const film = document.querySelector("video");
  if (!film) return;
  const { films, from, to } = JSON.parse(document.getElementById("report").textContent);

  // Between times of the source ([0]) and of the video ([1]): straight lines between the pictures that are known.
  const between = (value, source, target) => {
    if (!films.length) return value;
    let i = films.findIndex(f => f[source] > value);
    if (i < 0) i = films.length - 1;
    const [a, b] = [films[Math.max(0, i - 1)], films[i]];
    const slope = b[source] > a[source] ? (b[target] - a[target]) / (b[source] - a[source]) : 1;
    return a[target] + (value - a[source]) * slope;
  };

  const seek = seconds => {
    film.currentTime = Math.max(0, seconds);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    film.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  };
  const moment = hash => /^#t=(\d+(?:\.\d+)?)$/.exec(hash)?.[1];
  const follow = () => { if (moment(location.hash) !== undefined) seek(Number(moment(location.hash))); };
  document.addEventListener("click", e => {
    const hash = e.target.closest?.("a[href^='#t=']")?.getAttribute("href");
    if (!hash) return;
    e.preventDefault();
    history.replaceState(null, "", hash);
    follow();
  });
  addEventListener("hashchange", follow);
  page.onMoment(x => seek(between(x, 0, 1)));

  const head = document.querySelector(".head");
  const show = () => {
    root.dataset.moment = film.currentTime.toFixed(3);
    if (!head || !films.length || !(to > from)) return;
    const share = (between(film.currentTime, 1, 0) - from) / (to - from);
    head.hidden = !(share >= 0 && share <= 1);
    head.style.left = `${100 * share}%`;
  };
  film.addEventListener("timeupdate", show);
  film.addEventListener("seeked", show);
  film.addEventListener("error", () => {
    document.getElementById("film-note").textContent += ": this browser cannot play it from here";
    film.hidden = true;
  });
  follow();
})();
