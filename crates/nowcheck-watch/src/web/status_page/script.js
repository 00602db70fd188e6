"use strict";
// Fetches the page again, and puts in what has changed. A page that cannot be had says since when.
{
  const EVERY = 15000;
  const contact = () => document.querySelector("#contact");
  const heading = () => document.querySelector("h1").textContent;
  let last = new Date();

  const takeOver = (fresh) => {
    const before = heading();
    const open = [...document.querySelectorAll("details")].map((one) => one.open);
    const content = fresh.querySelector("#content");
    content.querySelectorAll("details").forEach((one, nth) => { one.open = open[nth] ?? false; });
    const focused = document.activeElement?.closest("#content");
    const place = focused ? [...focused.querySelectorAll("summary, a")].indexOf(document.activeElement) : -1;
    document.querySelector("#content").replaceWith(content);
    if (place >= 0) content.querySelectorAll("summary, a")[place]?.focus({ preventScroll: true });
    document.title = fresh.title;
    document.querySelector("link[rel=icon]").href = fresh.querySelector("link[rel=icon]").href;
    if (heading() !== before) document.querySelector("#news").textContent = heading();
  };

  const refresh = async () => {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.statusText);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      // A proxy may answer with a page of its own.
      if (!("statusPage" in fresh.body.dataset)) throw new Error("this is no status page");
      takeOver(fresh);
      last = new Date();
    } catch {
      const since = last.toISOString().slice(11, 19);
      contact().textContent = `no contact since ${since} UTC: this may have changed`;
      contact().className = "lost";
    }
  };

  setInterval(() => { if (!document.hidden) refresh(); }, EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
}
