// What changed, as rows of the page's block of JSON, and the tree that the map draws of it.

/**
 * Of both sides, as `memoryOld` and `memoryNew` and so on.
 * @typedef {{name: Name, measures: Measures, parent: number | null}} ChangedPrefix
 * @typedef {{what: string, name: Name, db: number, type: string, oldType: string | null, prefix: number | null,
 *   old: number | null, new: number | null, expiry: [number | null, number | null] | null,
 *   nameBytes: number | null}} ChangedKey
 * @typedef {{name: Name, counts: number[]}} MovedPrefix
 * @typedef {{totals: Measures, prefixes: ChangedPrefix[], moved: MovedPrefix[], keys: ChangedKey[]}} Changes
 */

/** @type {[string, string][]} */
const CHANGE_MEASURES = [
  ["memory", "change of memory"], ["keys", "change of the number of keys"],
  ["memoryWithoutTtl", "change of memory that never expires"],
];

/** @param {number[][]} cells @returns {Measures} */
function readSides([[memoryOld, keysOld, memoryWithoutTtlOld, keysWithoutTtlOld], [memoryNew, keysNew, memoryWithoutTtlNew, keysWithoutTtlNew]]) {
  return {
    memoryOld, keysOld, memoryWithoutTtlOld, keysWithoutTtlOld, memoryNew, keysNew, memoryWithoutTtlNew, keysWithoutTtlNew,
  };
}

/** @param {string} json @returns {Changes} */
function readChanges(json) {
  const block = JSON.parse(json);
  return {
    totals: readSides(block.totals),
    prefixes: block.prefixes.map((/** @type {any[]} */ [name, sides, parent]) => (
      { name: readName(name), measures: readSides(sides), parent }
    )),
    moved: block.moved.map((/** @type {any[]} */ [name, counts]) => ({ name: readName(name), counts })),
    keys: block.keys.map((/** @type {any[]} */ [what, name, db, type, oldType, prefix, old, now, expiry, nameBytes]) => (
      { what, name: readName(name), db, type, oldType, prefix, old, new: now, expiry, nameBytes }
    )),
  };
}

/** By how much a measure changed. @param {Measures} measures @param {string} by */
function changeOf(measures, by) {
  return measures[`${by}New`] - measures[`${by}Old`];
}

/** @param {Measures} measures @param {string} by */
function shownChange(measures, by) {
  const change = changeOf(measures, by);
  const amount = by === "keys" ? `${count(Math.abs(change))} ${Math.abs(change) === 1 ? "key" : "keys"}` : bytes(Math.abs(change));
  return change === 0 ? "no change" : `${change > 0 ? "+" : "-"}${amount}`;
}

/**
 * The areas of a part: what its own parts changed, less and more; of one that has none, what is more or less of it.
 * @param {Part} whole
 */
function settle(whole) {
  const rest = { ...whole.measures };
  for (const inner of whole.parts) {
    settle(inner);
    for (const side of Object.keys(rest)) {
      rest[side] = Math.max(0, rest[side] - inner.measures[side]);
    }
  }
  if (whole.parts.length > 0 && CHANGE_MEASURES.some(([by]) => changeOf(rest, by) !== 0)) {
    const others = part("rest", `r:${whole.id}`, plain("other keys"), rest);
    settle(others);
    put(whole, others);
  }
  for (const [by] of CHANGE_MEASURES) {
    whole.measures[by] = whole.parts.length === 0
      ? Math.abs(changeOf(whole.measures, by)) : whole.parts.reduce((sum, { measures }) => sum + measures[by], 0);
  }
}

/** @param {ChangedKey} key */
function changedKeyPart(key) {
  const sides = { memoryOld: key.old ?? 0, memoryNew: key.new ?? 0 };
  const keys = { keysOld: key.old === null ? 0 : 1, keysNew: key.new === null ? 0 : 1 };
  // Whether it expires is not known here: its prefix knows.
  const never = { memoryWithoutTtlOld: 0, memoryWithoutTtlNew: 0, keysWithoutTtlOld: 0, keysWithoutTtlNew: 0 };
  return part("key", `k:${key.db}:${key.name.text}`, key.name, { ...sides, ...keys, ...never }, { type: key.type, key });
}

/**
 * Prefixes that changed, each with the keys under no longer one that changed most.
 * @param {Changes} changes
 */
function changeTree(changes) {
  const root = part("all", "all", plain("all keys"), { ...changes.totals });
  const prefixes = changes.prefixes.map(({ name, measures }) => part("prefix", `p:${name.text}`, name, { ...measures }));
  changes.prefixes.forEach(({ parent }, at) => put(parent === null ? root : prefixes[parent], prefixes[at]));
  // A key that has another type or expiry as well is in several lists.
  for (const key of changes.keys.filter(({ what }) => ["came", "went", "grew", "shrank"].includes(what))) {
    put(key.prefix === null ? root : prefixes[key.prefix], changedKeyPart(key));
  }
  settle(root);
  return root;
}

const CHANGE_CLASSES = [
  ["change-came", "new, was not there"], ["change-grew", "more"], ["change-none", "as much as before"],
  ["change-shrank", "less"], ["change-went", "gone"],
];

/** @param {Part} of @param {string} by */
function changeClass({ measures }, by) {
  const change = changeOf(measures, by);
  if (change === 0) {
    return "change-none";
  }
  if (change > 0) {
    return measures.keysOld === 0 ? "change-came" : "change-grew";
  }
  return measures.keysNew === 0 ? "change-went" : "change-shrank";
}
