"use strict";
// Keeps a page up to date, filters as one types, and reads plots out. The server makes everything that is shown: the script
// fetches the page again and puts in what has changed. Without the script the page is complete and reloads by itself.
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const body = document.body;
  const contact = $("#contact");

  // ---------------------------------------------------------------------------------------------- times
  // By the clock of the monitor: that of the browser may be wrong.
  let shownAt = Number(body.dataset.now);
  let begun = performance.now();
  const now = () => shownAt + performance.now() - begun;
  const rough = (seconds) =>
    seconds < 60 ? `${Math.floor(seconds)} s` :
    seconds < 3600 ? `${Math.floor(seconds / 60)} min` :
    seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} days`;
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-ago]"))
      put(time, rough(Math.max(0, now() - time.dataset.ago) / 1000));
    for (const time of document.querySelectorAll("time[data-until]")) {
      const left = (time.dataset.until - now()) / 1000;
      put(time, left < 1 ? "now" : `in ${rough(left)}`);
    }
  };

  // ---------------------------------------------------------------------------------------------- the page again
  // What the server sent for each part: a part whose text is the same stays as it is, with its focus and its state.
  const sent = new WeakMap();
  const parts = (parent) => [...parent.children];
  const remember = (parent) => {
    for (const part of parts(parent)) {
      sent.set(part, part.outerHTML);
      if (part.matches("[data-rows]")) remember(part);
    }
  };
  const key = (part) => part.id || part.tagName;
  const isInUse = (part) => part.matches("[data-keep]") || (part.matches("[data-plots]") && part.dataset.inUse);
  const take = (old, fresh, isOther) => {
    const known = new Map(parts(old).map((part) => [key(part), part]));
    let place = old.firstElementChild;
    for (const part of parts(fresh)) {
      const same = known.get(key(part));
      known.delete(key(part));
      let put = part;
      if (same && isInUse(same) && !(isOther && same.matches("[data-plots]"))) put = same;
      else if (same && part.matches("[data-rows]")) { take(same, part, isOther); put = same; }
      else if (same && sent.get(same) === part.outerHTML) put = same;
      else {
        sent.set(part, part.outerHTML);
        for (const details of part.querySelectorAll("details[id]"))
          details.open = Boolean(document.getElementById(details.id)?.open);
        if (same) { if (place === same) place = same.nextElementSibling; same.remove(); }
      }
      if (put !== place) old.insertBefore(put, place); else place = place.nextElementSibling;
    }
    for (const gone of known.values()) gone.remove();
  };
  const focused = () => {
    const element = document.activeElement;
    if (element?.id) return () => document.getElementById(element.id);
    const address = element?.getAttribute?.("href");
    return address ? () => $(`a[href="${CSS.escape(address)}"]`) : () => null;
  };

  // Nothing is waited for any longer: all connections to the server may be taken.
  const ANSWERED_WITHIN = 10000;
  let running = null, again = false;
  const refresh = async (isOther = false) => {
    if (running && !isOther) { again = true; return; }
    running?.abort();
    const mine = running = new AbortController();
    again = false;
    const limit = setTimeout(() => mine.abort(), ANSWERED_WITHIN);
    try {
      const address = location.href.split("#")[0];
      const answer = await fetch(address, { signal: mine.signal, headers: { accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!fresh.body.dataset.now) throw new Error("this is no page of the monitor");
      const find = focused();
      document.title = fresh.title;
      $("link[rel=icon]").href = $("link[rel=icon]", fresh).href;
      take($("#content"), $("#content", fresh), isOther);
      [shownAt, begun] = [Number(fresh.body.dataset.now), performance.now()];
      [hasFailed, knownAt] = [false, shownAt];
      const lost = document.activeElement === body && find();
      if (lost) lost.focus({ preventScroll: true });
      plots();
      tick();
    } catch {
      // Another one has begun instead.
      if (running !== mine) return;
      hasFailed = true;
    } finally {
      clearTimeout(limit);
    }
    if (running === mine) running = null;
    endedAt = performance.now();
    tell();
    if (again) later(1000);
  };
  let timer = 0;
  const later = (wait) => {
    again = true;
    timer ||= setTimeout(() => { timer = 0; refresh(); }, wait);
  };
  const soon = () => { clearTimeout(timer); timer = 0; later(50); };
  const go = (address) => { history.pushState(null, "", address); refresh(true); };
  addEventListener("popstate", () => {
    const box = $("#q");
    if (box) box.value = new URL(location).searchParams.get("q") ?? "";
    refresh(true);
  });

  // ---------------------------------------------------------------------------------------------- events
  // The server sends something every ten seconds. A proxy may keep it back, and then the page is fetched again and again.
  // Timers of a page that was long hidden run once a minute, which is meant to be enough for one more fetch.
  const SILENT = 20000, EVERY = 10000, EVERY_HIDDEN = 50000;
  let stream = null, heardAt = null;
  let endedAt = performance.now(), hasFailed = false, knownAt = shownAt;
  const isHeard = () => heardAt !== null && performance.now() - heardAt < SILENT;
  const tell = () => {
    const time = (at) => `${new Date(at).toISOString().slice(11, 19)} UTC`;
    const [kind, text] =
      hasFailed ? ["lost", `no contact since ${time(knownAt)}: this is what was known then`] :
      isHeard() ? ["live", "live"] : ["", `as of ${time(knownAt)}`];
    if (contact.className !== kind) contact.className = kind;
    put(contact, text);
  };
  const leave = () => {
    stream?.close();
    [stream, heardAt] = [null, null];
  };
  const follow = () => {
    leave();
    const mine = stream = new EventSource(body.dataset.events);
    const on = (name, act) => mine.addEventListener(name, (event) => { heardAt = performance.now(); act(event); });
    // What happened between the page and the stream, however little time that was. A proxy that opens it may still keep back
    // what is sent on it: it is live with the first event.
    mine.onopen = () => refresh();
    mine.onerror = () => {
      const wasHeard = heardAt !== null;
      heardAt = null;
      if (wasHeard) refresh();
      tell();
    };
    let news = [];
    on("change", (event) => {
      const { check, status } = JSON.parse(event.data);
      news.push(`${check} is ${status}`);
      soon();
      if (news.length === 1) setTimeout(() => {
        put($("#news"), news.length > 3 ? `${news.length} checks have changed` : news.join(", "));
        news = [];
      }, 500);
    });
    on("checks", soon);
    // What moves a little is shown a little later.
    on("round", () => later(2000));
    // Nothing has changed: the page is that of this moment.
    on("ping", () => { if (!running && !again && !hasFailed) knownAt = now(); tell(); });
  };
  const watch = () => {
    // It was open, and whoever has sent it is gone without a word.
    if (heardAt !== null && !isHeard()) leave();
    const { hidden } = document;
    const isDue = performance.now() - endedAt >= (hidden ? EVERY_HIDDEN : EVERY);
    if (isDue && !running && (hidden || hasFailed || !isHeard())) {
      // The browser gives up on some answers.
      if (!hidden && (!stream || stream.readyState === EventSource.CLOSED)) follow();
      refresh();
    }
    tell();
  };
  // A browser opens six connections to a server, and a stream holds one: only a page that is looked at has one.
  const look = () => {
    if (document.hidden) leave(); else { follow(); soon(); }
  };

  // ---------------------------------------------------------------------------------------------- the filter
  const filter = $("#filter");
  filter?.addEventListener("input", () => {
    const address = new URL(location);
    const text = $("#q").value;
    if (text) address.searchParams.set("q", text); else address.searchParams.delete("q");
    address.searchParams.delete("page");
    history.replaceState(null, "", address);
    refresh(true);
  });
  filter?.addEventListener("submit", (event) => { event.preventDefault(); refresh(true); });

  // ---------------------------------------------------------------------------------------------- plots
  const svg = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const plots = () => {
    const section = $("[data-plots]");
    if (!section || section.dataset.ready) return;
    const rows = [...section.querySelectorAll("#figures tbody tr")];
    const drawings = [...section.querySelectorAll("svg.plot")];
    if (!rows.length || !drawings.length) return;
    section.dataset.ready = "yes";
    const { from, to } = drawings[0].dataset;
    const [first, last] = [Number(from), Number(to)];
    const reader = document.createElement("div");
    const said = document.createElement("output");
    const help = document.createElement("p");
    reader.id = "reader";
    reader.tabIndex = 0;
    reader.setAttribute("role", "slider");
    reader.setAttribute("aria-label", "Read out the plots");
    reader.setAttribute("aria-valuemin", "1");
    reader.setAttribute("aria-valuemax", String(rows.length));
    reader.setAttribute("aria-valuenow", String(rows.length));
    reader.setAttribute("aria-describedby", "reader-help");
    said.setAttribute("aria-live", "off");
    help.id = "reader-help";
    help.className = "dim";
    help.textContent = "Point at a plot, or use the arrow keys here, to read it. Drag across it, pinch it, or press + and − to zoom; Escape ends.";
    reader.append(said);
    $("figure", section).before(reader, help);
    let at = rows.length - 1;

    const text = (row) => {
      const [time, state, offset, trip] = [...row.cells].map((cell) => cell.textContent);
      return `${time} UTC: ${state}; offset ${offset}; round trip ${trip}`;
    };
    const scale = (drawing) => {
      const { left, right } = drawing.dataset;
      return { left: Number(left), right: Number(right), width: drawing.viewBox.baseVal.width };
    };
    const x = (drawing, second) => {
      const { left, right } = scale(drawing);
      return left + Math.min(1, Math.max(0, (second - first) / (last - first))) * (right - left);
    };
    const line = (drawing, name, shape, attributes) => {
      const mark = $(`.${name}`, drawing) ?? drawing.appendChild(svg(shape, { class: name }));
      for (const [key, value] of Object.entries(attributes)) mark.setAttribute(key, value);
    };
    const clear = (name) => section.querySelectorAll(`svg .${name}`).forEach((mark) => mark.remove());
    const show = (index) => {
      at = Math.min(rows.length - 1, Math.max(0, index));
      section.dataset.inUse = "yes";
      const middle = (Number(rows[at].dataset.from) + Number(rows[at].dataset.to)) / 2;
      for (const drawing of drawings) {
        const place = x(drawing, middle);
        line(drawing, "cursor", "path", { d: `M${place} 4V${drawing.viewBox.baseVal.height - 22}` });
      }
      put(said, text(rows[at]));
      reader.setAttribute("aria-valuenow", String(at + 1));
      reader.setAttribute("aria-valuetext", text(rows[at]));
    };
    const end = () => {
      delete section.dataset.inUse;
      clear("cursor"); clear("choice");
      put(said, text(rows[at = rows.length - 1]));
    };
    const nearest = (second) => {
      let best = 0;
      rows.forEach((row, nth) => { if (Number(row.dataset.from) <= second) best = nth; });
      return best;
    };
    const zoom = (begin, finish) => {
      const [low, high] = [Math.round(Math.min(begin, finish)), Math.round(Math.max(begin, finish))];
      if (high - low < 10) return;
      delete section.dataset.inUse;
      go(`${location.pathname}?from=${low}&to=${high}`);
    };
    const around = (share) => {
      const middle = section.dataset.inUse ? Number(rows[at].dataset.from) : (first + last) / 2;
      const half = (last - first) * share / 2;
      zoom(middle - half, middle + half);
    };

    put(said, text(rows[at]));
    reader.setAttribute("aria-valuetext", text(rows[at]));
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };
    reader.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in steps) show(Math.min(rows.length - 1, Math.max(0, at + steps[event.key])));
      else if (event.key === "+" || event.key === "=") around(0.5);
      else if (event.key === "-") around(2);
      else if (event.key === "Escape") end();
      else return;
      event.preventDefault();
    });
    reader.addEventListener("focus", () => show(at));
    reader.addEventListener("blur", end);

    const instant = (drawing, event) => {
      const box = drawing.getBoundingClientRect();
      const { left, right, width } = scale(drawing);
      const place = (event.clientX - box.left) / box.width * width;
      return first + Math.min(1, Math.max(0, (place - left) / (right - left))) * (last - first);
    };
    for (const drawing of drawings) {
      const fingers = new Map();
      drawing.addEventListener("pointerdown", (event) => {
        if (event.button > 0) return;
        const second = instant(drawing, event);
        fingers.set(event.pointerId, { begin: second, second, x: event.clientX });
        drawing.setPointerCapture(event.pointerId);
        show(nearest(second));
      });
      drawing.addEventListener("pointermove", (event) => {
        const second = instant(drawing, event);
        const finger = fingers.get(event.pointerId);
        if (finger) finger.second = second;
        if (fingers.size < 2) show(nearest(second));
        if (finger && event.pointerType === "mouse") {
          const [low, high] = [x(drawing, finger.begin), x(drawing, second)].sort((one, other) => one - other);
          line(drawing, "choice", "rect", { x: low, y: 4, width: high - low, height: drawing.viewBox.baseVal.height - 26 });
        }
      });
      drawing.addEventListener("pointerup", (event) => {
        const all = [...fingers.values()];
        const finger = fingers.get(event.pointerId);
        fingers.clear();
        clear("choice");
        if (!finger) return;
        if (all.length === 2) {
          // What was between the two fingers is as wide as they are apart at the end.
          const apart = (one) => Math.abs(all[0][one] - all[1][one]);
          const factor = Math.min(4, Math.max(0.25, apart("begin") / Math.max(1, apart("second"))));
          const middle = (all[0].begin + all[1].begin) / 2;
          zoom(middle - (last - first) * factor / 2, middle + (last - first) * factor / 2);
        } else if (event.pointerType === "mouse" && Math.abs(event.clientX - finger.x) > 8) {
          zoom(finger.begin, finger.second);
        }
      });
      drawing.addEventListener("pointercancel", () => { fingers.clear(); clear("choice"); });
      drawing.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && document.activeElement !== reader) end(); });
    }
  };

  // Links that show another part of the same keep the place on the page.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#ranges a, .counts a, a.label, #none a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const address = new URL(link.href);
    if (address.pathname !== location.pathname) return;
    event.preventDefault();
    const box = $("#q");
    if (box) box.value = address.searchParams.get("q") ?? "";
    go(address);
  });

  remember($("#content"));
  body.classList.add("scripted");
  plots();
  tick();
  setInterval(tick, 1000);
  if (body.dataset.events) {
    if (!document.hidden) follow();
    document.addEventListener("visibilitychange", look);
    setInterval(watch, 1000);
  }
})();
