// Draws the page from its data.

{
  const data = readData(place("data").textContent ?? "");
  findEncodings(data);
  const keys = makeKeys(data);
  makeMap(data, (prefix) => {
    keys.filter(prefix);
    goTo("keys");
  });
  makePrefixes(data, (prefix) => {
    location.hash = `map&tree=prefix&at=${encodeURIComponent(`p:${prefix}`)}`;
  });
  makeTags(data);
  makeSlots(data);
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
