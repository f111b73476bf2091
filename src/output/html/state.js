// What is shown is in the fragment of the page's address, so that a view can be linked: first the section, then what was
// chosen in it, as in #map&by=keys&at=p:user:.

/** @type {Map<string, string>} */
const chosen = new Map();
let currentSection = "";

/** @type {(() => void)[]} */
const followers = [];

function readFragment() {
  chosen.clear();
  currentSection = "";
  for (const pair of location.hash.slice(1).split("&")) {
    const equals = pair.indexOf("=");
    try {
      if (equals > 0) {
        chosen.set(pair.slice(0, equals), decodeURIComponent(pair.slice(equals + 1)));
      } else {
        currentSection = decodeURIComponent(pair);
      }
    } catch {
      // A fragment that was cut or typed wrong chooses nothing.
    }
  }
}

function writeFragment() {
  const pairs = [...chosen].map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  const fragment = [currentSection, ...pairs].filter((part) => part !== "").join("&");
  history.replaceState(null, "", fragment === "" ? location.pathname + location.search : `#${fragment}`);
}

/**
 * What was chosen, if it is one of the options.
 * @template {string} T
 * @param {string} key
 * @param {readonly T[]} options of which the first is the default
 * @returns {T}
 */
function chosenOf(key, options) {
  const value = chosen.get(key);
  return options.find((option) => option === value) ?? options[0];
}

/**
 * @param {string} key
 * @param {string} value
 * @param {string} byDefault which is not written
 */
function choose(key, value, byDefault) {
  if (value === byDefault) {
    chosen.delete(key);
  } else {
    chosen.set(key, value);
  }
  writeFragment();
}

/** Goes to a section without forgetting what was chosen. @param {string} id */
function goTo(id) {
  currentSection = id;
  writeFragment();
  document.getElementById(id)?.scrollIntoView();
}

/**
 * Calls `follow` whenever another address is opened.
 * @param {() => void} follow
 */
function onChosen(follow) {
  followers.push(follow);
}

addEventListener("hashchange", () => {
  readFragment();
  for (const follow of followers) {
    follow();
  }
  document.getElementById(currentSection)?.scrollIntoView();
});
readFragment();

/** Follows the table of contents without forgetting what was chosen, and goes where the address says, once all is drawn. */
function follow() {
  document.querySelector("body > nav")?.addEventListener("click", (event) => {
    if (event.target instanceof HTMLAnchorElement) {
      event.preventDefault();
      goTo(event.target.hash.slice(1));
    }
  });
  if (currentSection !== "") {
    document.getElementById(currentSection)?.scrollIntoView();
  }
  performance.mark("drawn");
}
