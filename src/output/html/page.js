// Draws the page from its data.

{
  const data = readData(place("data").textContent ?? "");
  findEncodings(data);
  const keys = makeKeys(data);
  makeReportMap(data, (prefix) => {
    keys.filter(prefix);
    goTo("keys");
  });
  makePrefixes(data, (prefix) => {
    location.hash = `map&tree=prefix&at=${encodeURIComponent(`p:${prefix}`)}`;
  });
  makeTags(data);
  makeSlots(data);
  follow();
}
