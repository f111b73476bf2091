// Looks again for what changes, and puts it in the place of what was there: states, progress, ages. Names of keys are hostile;
// what the service sends is parsed as a document of its own, in which nothing runs, and its elements are moved as they are.
"use strict";
{
  const said = /** @type {HTMLElement} */ (document.getElementById("said"));

  /** @param {Document} of */
  const live = (of) => [...of.querySelectorAll("[data-live]")].filter(({ id }) => id !== "");

  /** How often the page is looked for again, in seconds; 0 for never. @param {Document} of */
  const pause = (of) => {
    const pauses = [...of.querySelectorAll("[data-poll]")].map((element) => Number(element.getAttribute("data-poll")));
    return pauses.length === 0 ? 0 : Math.min(...pauses);
  };

  /** What the service sent last, by ID: what a reader has opened since is no change. */
  const last = new Map(live(document).map((element) => [element.id, /** @type {Element} */ (element.cloneNode(true))]));

  /** The IDs of a list's rows. @param {Element} list */
  const rows = (list) => [...list.querySelectorAll("[data-live]")].map(({ id }) => id).join();

  /** Whether a reader is in the middle of something there. @param {Element} element */
  const isInUse = (element) => element.querySelector("details[open]") !== null || element.contains(document.activeElement) && document.activeElement !== element;

  /** @param {Element} old @param {Element} fresh */
  const replace = (old, fresh) => {
    const state = fresh.getAttribute("data-state");
    if (state !== null && state !== old.getAttribute("data-state")) {
      said.textContent = `${fresh.getAttribute("data-said") ?? ""}: ${state}`;
      setTimeout(() => { said.textContent = ""; }, 4000);
    }
    old.replaceWith(document.adoptNode(fresh));
  };

  /** @param {Document} fresh */
  const update = (fresh) => {
    for (const list of fresh.querySelectorAll("[data-list]")) {
      const old = document.getElementById(list.id);
      if (old !== null && rows(old) !== rows(list) && !isInUse(old)) {
        for (const row of list.querySelectorAll("[data-live]")) {
          last.set(row.id, /** @type {Element} */ (row.cloneNode(true)));
        }
        old.replaceWith(document.adoptNode(list));
      }
    }
    for (const element of live(fresh)) {
      const old = document.getElementById(element.id);
      const hasNewState = old?.getAttribute("data-state") !== element.getAttribute("data-state");
      if (old !== null && !element.isEqualNode(last.get(element.id) ?? null) && (hasNewState || !isInUse(old))) {
        last.set(element.id, /** @type {Element} */ (element.cloneNode(true)));
        replace(old, element);
      }
    }
  };

  const look = async () => {
    let seconds = 10;
    try {
      const response = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
      if (response.redirected) {
        // The session has ended.
        location.reload();
        return;
      }
      if (response.ok) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
        const isWhole = document.querySelector("[data-whole]") !== null && fresh.querySelector("[data-whole]") === null;
        if (isWhole) {
          // A task has ended: its keys are there.
          location.reload();
          return;
        }
        update(fresh);
        seconds = pause(fresh);
      }
    } catch {
      // The service is away; it is looked for again.
    }
    later(seconds);
  };

  /** @param {number} seconds */
  const later = (seconds) => {
    if (seconds > 0) {
      setTimeout(() => (document.hidden ? later(seconds) : look()), seconds * 1000);
    }
  };

  later(pause(document));
}
