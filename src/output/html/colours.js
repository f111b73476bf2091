// What the colours of the map say. The classes are in the style sheet: colours of Okabe and Ito, and from blue to orange,
// which people tell apart who see few colours.

/** @typedef {"ttl" | "type" | "encoding" | "idle"} Colouring */

const TYPES = ["string", "hash", "list", "set", "zset", "stream", "module", "array", "vectorset"];

/** Encodings that have a colour, the largest first; the others are grey. @type {string[]} */
let encodings = [];

/** @param {Data} data */
function findEncodings(data) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const { name, measures } of data.databases.flatMap((of) => of.types).flatMap((of) => of.encodings)) {
    sums.set(name, (sums.get(name) ?? 0) + measures.memory);
  }
  encodings = [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 7).map(([name]) => name);
}

const TTL_CLASSES = [
  ["ttl-0", "all expire"],
  ["ttl-1", "under half never expires"],
  ["ttl-2", "half or more never expires"],
  ["ttl-3", "90 % or more never expires"],
];

/** Classes of the style sheet, and up to how many seconds without use each goes. @type {[string, number, string][]} */
const IDLE_CLASSES = [
  ["ttl-0", 3600, "used within an hour"], ["ttl-1", 86_400, "within a day"], ["ttl-2", 7 * 86_400, "within a week"],
  ["ttl-3", Infinity, "unused for longer"],
];

/** @param {Part} of */
function ttlClass({ measures }) {
  const [part, whole] = measures.memory > 0
    ? [measures.memoryWithoutTtl, measures.memory] : [measures.keysWithoutTtl, measures.keys];
  const never = whole === 0 ? 0 : part / whole;
  return TTL_CLASSES[never === 0 ? 0 : never < 0.5 ? 1 : never < 0.9 ? 2 : 3][0];
}

/**
 * The class of a part's colour; a part with keys of several types or encodings has none.
 * @param {Part} of
 * @param {Colouring} colouring
 */
function colourClass(of, colouring) {
  if (colouring === "ttl") {
    return ttlClass(of);
  }
  if (colouring === "idle") {
    const idle = of.key?.idle ?? null;
    return IDLE_CLASSES.find(([, upTo]) => idle !== null && idle < upTo)?.[0] ?? "colour-none";
  }
  const at = colouring === "type" ? TYPES.indexOf(of.type ?? "") : encodings.indexOf(of.encoding ?? "");
  return at < 0 ? "colour-none" : `colour-${at}`;
}

/**
 * Classes with what they stand for.
 * @param {Data} data
 * @param {Colouring} colouring
 */
function legend(data, colouring) {
  if (colouring === "ttl") {
    return TTL_CLASSES;
  }
  if (colouring === "idle") {
    return [...IDLE_CLASSES.map(([name, , title]) => [name, title]), ["colour-none", "several, or not known"]];
  }
  const types = new Set(data.databases.flatMap((of) => of.types).map(({ type }) => type));
  const named = colouring === "type"
    ? TYPES.map((type, at) => [`colour-${at}`, type]).filter(([, type]) => types.has(type))
    : encodings.map((name, at) => [`colour-${at}`, name]);
  return [...named, ["colour-none", "several, or not known"]];
}
