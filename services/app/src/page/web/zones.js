// Time zones: which there are, finding one, and the field that does it (the combobox of the ARIA Authoring Practices).

// For browsers that cannot say what they know, where any other name can still be typed; and names of today that Chromium
// does not list, because it goes by the old ones, such as Asia/Calcutta.
const FEW = [
  "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Anchorage",
  "America/Argentina/Buenos_Aires", "America/Bogota", "America/Chicago", "America/Denver", "America/Halifax",
  "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Nuuk", "America/Sao_Paulo",
  "America/St_Johns", "Asia/Dhaka", "Asia/Dubai", "Asia/Ho_Chi_Minh", "Asia/Hong_Kong", "Asia/Jakarta", "Asia/Jerusalem",
  "Asia/Karachi", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Manila", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore",
  "Asia/Tehran", "Asia/Tokyo", "Asia/Yangon", "Australia/Adelaide", "Australia/Brisbane", "Australia/Perth",
  "Australia/Sydney", "Europe/Athens", "Europe/Berlin", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon",
  "Europe/London", "Europe/Madrid", "Europe/Moscow", "Europe/Paris", "Pacific/Auckland", "Pacific/Honolulu",
];

// The visitor's own zone. Some browsers hide it behind a name for UTC, or cannot find it.
const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
const here = /^(Etc\/(UTC|UCT|GMT|Universal|Unknown|Zulu)|GMT|UCT)$/.test(ownZone) ? "UTC" : ownZone;

export function allZones() {
  const known = Intl.supportedValuesOf?.("timeZone") ?? [];
  return [...new Set(["UTC", here, ...[...known, ...FEW].sort()])];
}

const plainText = (text) =>
  text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/[\s/_-]+/g, " ").trim();

// The zones that have all that was typed in their names, the likeliest first: those whose place begins with it.
export function findZones(zones, typed) {
  const wanted = plainText(typed);
  const rank = (zone) => {
    const [name, place] = [plainText(zone), plainText(zone.split("/").at(-1))];
    if (name === wanted || place === wanted) return 0;
    if (place.startsWith(wanted)) return 1;
    if (name.startsWith(wanted) || name.includes(` ${wanted}`)) return 2;
    return wanted.split(" ").every((word) => name.includes(word)) ? 3 : null;
  };
  const ranked = zones.map((zone) => [rank(zone), zone]).filter(([place]) => place !== null);
  // Sorting keeps the order of equals.
  return ranked.sort(([one], [other]) => one - other).map(([, zone]) => zone);
}

// How Intl writes that zone, or null if it does not know it.
export function usualName(zone) {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    return null;
  }
  const spelled = allZones().find((known) => known.toLowerCase() === zone.toLowerCase());
  return spelled ?? zone;
}

// Makes the field one that shows what there is to choose from. `choose(zone)` is called with what was chosen, `hint(words)`
// with what is to stand below the field, `say(words)` with what is to be read out.
function comboBox({ input, list, zones, choose, hint, say }) {
  const help = "Type a part of a name and choose.";
  const nothing = "No zone has that in its name.";
  let options = [];
  let active = -1;
  const isOpen = () => !list.hidden;

  const attributes = {
    role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false",
  };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);

  function activate(index) {
    options[active]?.setAttribute("aria-selected", "false");
    active = index;
    const option = options[active];
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", option.id);
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  }

  function open(typed) {
    const found = findZones(zones, typed);
    options = found.map((zone, index) => {
      const option = document.createElement("li");
      option.id = `zone-${index}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.textContent = zone.replaceAll("_", " ");
      option.dataset.zone = zone;
      if (zone === here) option.append(Object.assign(document.createElement("small"), { textContent: " where you are" }));
      return option;
    });
    list.replaceChildren(...options);
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(isOpen()));
    activate(-1);
    list.scrollTop = 0;
    tellMatch(found.length > 0);
    if (typed) {
      // What was typed is most likely meant by the first.
      activate(found.length ? 0 : -1);
      say(found.length ? count(found.length, "zone") : nothing);
    } else {
      // An emptied field means UTC, which is the first, as it does in the address.
      activate(input.value ? found.indexOf(input.dataset.zone) : 0);
    }
  }

  // Below the field too, for those who see it.
  function tellMatch(isSome) {
    hint(isSome ? help : nothing);
    input.setAttribute("aria-invalid", String(!isSome));
  }

  function close() {
    tellMatch(true);
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    activate(-1);
  }

  function take(zone) {
    close();
    choose(zone);
    input.select();
  }

  function reset() {
    close();
    input.value = input.dataset.zone;
  }

  function typed() {
    // A full name is a zone even if the list does not have it.
    const zone = options[active]?.dataset.zone ?? usualName(input.value.trim().replaceAll(" ", "_") || "UTC");
    if (zone) take(zone);
    else say(nothing);
  }

  tellMatch(true);
  input.addEventListener("input", () => open(input.value));
  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", () => isOpen() || open(""));
  input.addEventListener("blur", reset);
  input.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (steps) {
      if (!isOpen()) open("");
      else if (event.altKey && event.key === "ArrowUp") close();
      else if (active < 0) activate(steps > 0 ? 0 : options.length - 1);
      else if (Math.abs(steps) === 1) activate((active + steps + options.length) % options.length);
      else activate(Math.min(options.length - 1, Math.max(0, active + steps)));
    } else if (event.key === "Enter") {
      typed();
    } else if (event.key === "Escape" && (isOpen() || input.value !== input.dataset.zone)) {
      reset();
      input.select();
    } else {
      return;
    }
    event.preventDefault();
  });
  // The field keeps the focus, which a press on the list would take away.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option.dataset.zone);
  });
}
