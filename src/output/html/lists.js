// The lists of the page: keys, prefixes and hash tags.

/**
 * @template {{measures: Measures}} R
 * @param {Data} data
 * @returns {Column<R>[]}
 */
function measureColumns(data) {
  return [
    {
      id: "memory", title: "Memory",
      value: ({ measures }) => measures.memory, show: ({ measures }) => bytes(measures.memory),
    },
    {
      id: "share", title: "Share",
      value: ({ measures }) => Number(((measures.memory * 100) / (data.totals.memory || 1)).toFixed(3)),
      show: ({ measures }) => share(measures.memory, data.totals.memory),
    },
  ];
}

/** @type {Column<{measures: Measures}>} */
const DUMP_COLUMN = {
  id: "serialized", title: "In the dump",
  value: ({ measures }) => measures.serialized, show: ({ measures }) => bytes(measures.serialized),
};

/** What rows that have nothing in common take together. @param {{measures: Measures}[]} rows */
function sumOf(rows) {
  const sum = (/** @type {string} */ of) => rows.reduce((total, { measures }) => total + measures[of], 0);
  return `: ${bytes(sum("memory"))} of memory, ${bytes(sum("serialized"))} in the dump`;
}

const NEVER_EXPIRES = {
  title: "never expires", id: "never", is: (/** @type {{measures: Measures}} */ { measures }) => measures.keysWithoutTtl > 0,
};

/** @param {Data} data */
function makeKeys(data) {
  const databases = new Set(data.keys.map(({ db }) => db));
  /** @type {Column<Key>[]} */
  const columns = [
    { id: "name", title: "Key", isText: true, value: ({ name }) => name.text, show: ({ name, nameBytes }) => {
      const node = nameNode(name.text);
      return nameBytes === null ? node : element("span", {}, node, ` … (${count(nameBytes)} bytes)`);
    } },
    { id: "type", title: "Type", isText: true, value: ({ type }) => type, show: ({ type }) => type },
    { id: "encoding", title: "Encoding", isText: true, value: ({ encoding }) => encoding, show: ({ encoding }) => encoding },
    ...(databases.size > 1 ? [{
      id: "db", title: "db", value: (/** @type {Key} */ { db }) => db, show: (/** @type {Key} */ { db }) => String(db),
    }] : []),
    ...measureColumns(data).map((column) => (column.id === "memory" ? {
      ...column,
      value: (/** @type {Key} */ { measures, isMemoryKnown }) => (isMemoryKnown ? measures.memory : null),
      show: (/** @type {Key} */ { measures, isMemoryKnown, basis }) => (
        isMemoryKnown ? `${{ lower_bound: "≥ ", estimate: "≈ " }[basis ?? ""] ?? ""}${bytes(measures.memory)}` : "unknown"
      ),
    } : column)),
    DUMP_COLUMN,
    { id: "elements", title: "Elements", value: ({ measures }) => measures.elements, show: ({ measures }) => count(measures.elements) },
    ...(data.keys.some(({ largestBytes }) => largestBytes !== null) ? [{
      id: "largest", title: "Largest element",
      value: (/** @type {Key} */ { largestBytes }) => largestBytes,
      show: (/** @type {Key} */ { largestBytes }) => (largestBytes === null ? "-" : bytes(largestBytes)),
    }] : []),
    {
      id: "expires", title: "Expires (UTC)",
      value: ({ expiresAtMs }) => expiresAtMs,
      show: ({ expiresAtMs }) => (expiresAtMs === null ? "never" : moment(expiresAtMs).replace(/:\d\d UTC$/, "")),
    },
    ...(data.dumps.length > 1 ? [{
      id: "dump", title: "Dump", isText: true,
      value: (/** @type {Key} */ { dump }) => data.dumps[dump] ?? `dump ${dump}`,
      show: (/** @type {Key} */ { dump }) => isolated(data.dumps[dump] ?? `dump ${dump}`),
    }] : []),
  ];
  return makeList(place("keys"), {
    id: "keys", caption: "The largest keys of each database and type", things: "listed keys", rows: data.keys, columns,
    sortedBy: "-memory", nameOf: ({ name }) => name, sumOf, only: NEVER_EXPIRES,
    choices: [
      { title: "Type", id: "type", read: ({ type }) => type }, { title: "Database", id: "db", read: ({ db }) => String(db) },
    ],
    acts: ({ name, db, nameBytes }) => (nameBytes !== null ? [] : [
      ["name", () => copy("Name", name.text)],
      ["command", () => copy("Command", keyCommand(db, name))],
    ]),
    more: [["name_base64", ({ name }) => name.base64], ["db", ({ db }) => db], ["size", ({ size }) => size]],
  });
}

/**
 * @param {Data} data
 * @param {(prefix: string) => void} showOnMap
 */
function makePrefixes(data, showOnMap) {
  if (data.prefixes.length === 0) {
    return;
  }
  const dbs = data.databases.flatMap(({ db }) => (db === null ? [] : [db])).sort((a, b) => a - b).slice(0, 64);
  /** @type {Column<Prefix>[]} */
  const columns = [
    { id: "name", title: "Prefix", isText: true, value: ({ name }) => name.text, show: ({ name }) => {
      const go = button("", () => showOnMap(name.text), { class: "link" });
      go.replaceChildren(isolated(name.text));
      return go;
    } },
    ...measureColumns(data),
    { id: "keys", title: "Keys", value: ({ measures }) => measures.keys, show: ({ measures }) => count(measures.keys) },
    {
      id: "per_key", title: "Per key", value: ({ measures }) => Math.round(measures.memory / (measures.keys || 1)),
      show: ({ measures }) => bytes(Math.round(measures.memory / (measures.keys || 1))),
    },
    DUMP_COLUMN,
    {
      id: "memory_without_ttl", title: "Never expires",
      value: ({ measures }) => measures.memoryWithoutTtl, show: ({ measures }) => bytes(measures.memoryWithoutTtl),
    },
  ];
  makeList(place("prefixes"), {
    id: "prefixes", caption: "Prefixes, each with all keys under it", things: "prefixes, each with all keys under it",
    rows: data.prefixes, columns,
    // Some have all keys of others, so that they make no sum.
    sortedBy: "-memory", nameOf: ({ name }) => name, sumOf: () => "", choices: [], only: NEVER_EXPIRES,
    acts: ({ name }) => [
      ["name", () => copy("Prefix", name.text)],
      ["command", () => copy("Command", prefixCommand(dbs, name))],
    ],
    more: [
      ["name_base64", ({ name }) => name.base64], ["keys_without_ttl", ({ measures }) => measures.keysWithoutTtl],
      ["elements", ({ measures }) => measures.elements],
    ],
  });
}

/** @param {Data} data */
function makeTags(data) {
  const section = document.getElementById("tags");
  if (section === null || data.tags.length === 0) {
    return;
  }
  section.append(element("h3", {}, "Hash tags"));
  makeList(section, {
    id: "tags", caption: "Hash tags, each with all keys that it brings together", things: "hash tags", rows: data.tags,
    columns: [
      { id: "name", title: "Hash tag", isText: true, value: ({ name }) => name.text, show: ({ name }) => nameNode(name.text) },
      ...measureColumns(data),
      { id: "keys", title: "Keys", value: ({ measures }) => measures.keys, show: ({ measures }) => count(measures.keys) },
      DUMP_COLUMN,
    ],
    sortedBy: "-memory", nameOf: ({ name }) => name, sumOf, choices: [], only: NEVER_EXPIRES,
    acts: ({ name }) => [["name", () => copy("Hash tag", name.text)]],
    more: [["name_base64", ({ name }) => name.base64]],
  });
}
