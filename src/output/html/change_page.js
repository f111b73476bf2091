// Draws the page of a difference from its data.

{
  const changes = readChanges(place("data").textContent ?? "");
  const sides = (/** @type {Measures} */ measures, /** @type {string} */ by, /** @type {(amount: number) => string} */ show) => (
    `${show(measures[`${by}Old`])} → ${show(measures[`${by}New`])} (${signed(changeOf(measures, by), show)})`
  );
  const root = changeTree(changes);
  const isChanged = CHANGE_MEASURES.some(([by]) => root.measures[by] > 0);
  /** @type {MapPlan} */
  const plan = {
    trees: [{ id: "prefix", title: "prefixes", root }],
    measures: CHANGE_MEASURES,
    measured: shownChange,
    colourings: [{ id: "way", title: "more or less", classOf: changeClass, legend: () => CHANGE_CLASSES }],
    facts: ({ measures, key }) => [
      ["memory", sides(measures, "memory", bytes)],
      ...(key === null ? /** @type {[string, string][]} */ ([
        ["keys", sides(measures, "keys", count)],
        ["memory that never expires", sides(measures, "memoryWithoutTtl", bytes)],
      ]) : /** @type {[string, string][]} */ ([["what became of it", key.what], ["type", `${key.type}, db ${key.db}`]])),
    ],
    acts: ({ kind, name }) => (kind !== "prefix" ? [] : [button("Copy prefix", () => copy("Prefix", name.text))]),
  };
  if (isChanged) {
    makeMap(plan);
  }
  makeChangedPrefixes(changes, (prefix) => {
    location.hash = `map&at=${encodeURIComponent(`p:${prefix}`)}`;
  });
  makeMoved(changes);
  makeChangedKeys(changes);
  follow();
}
