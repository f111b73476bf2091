// The map of a report: prefixes, or databases and types, with their largest keys.

/** @type {[string, string][]} */
const MEASURES = [
  ["memory", "memory"], ["serialized", "bytes in the dump"], ["keys", "keys"],
  ["memoryWithoutTtl", "memory that never expires"],
];

/**
 * @param {Data} data
 * @param {(prefix: string) => void} showKeys
 */
function makeReportMap(data, showKeys) {
  const dbs = data.databases.flatMap(({ db }) => (db === null ? [] : [db])).sort((a, b) => a - b).slice(0, 64);
  const colours = (/** @type {Colouring} */ id, /** @type {string} */ title) => ({
    id, title, classOf: (/** @type {Part} */ of) => colourClass(of, id), legend: () => legend(data, id),
  });

  /** @param {Part} of @returns {[string, Node | string][]} */
  function facts({ measures, key }) {
    const isKnown = key === null || key.isMemoryKnown;
    const basis = key === null || key.basis === null ? "" : ` (${key.basis === "estimate" ? "an estimate" : "at least"})`;
    /** @type {[string, Node | string][]} */
    const made = [
      ["memory", isKnown ? `${bytes(measures.memory)}${basis}, ${share(measures.memory, data.totals.memory)} of all` : "unknown"],
      ["in the dump", `${bytes(measures.serialized)}, ${share(measures.serialized, data.totals.serialized)}`],
    ];
    if (key === null) {
      made.push(
        ["keys", `${count(measures.keys)}, ${share(measures.keys, data.totals.keys)}`],
        ["never expire", `${share(measures.keysWithoutTtl, measures.keys)} of them, ${bytes(measures.memoryWithoutTtl)}`],
      );
      return made;
    }
    made.push(
      ["type", `${key.type}, ${key.encoding}, db ${key.db}`],
      ["elements", count(measures.elements)],
      ["expires", key.expiresAtMs === null ? "never" : moment(key.expiresAtMs)],
    );
    if (key.idle !== null) {
      made.push(["last used", `${duration(key.idle)} before`]);
    }
    if (key.largestBytes !== null) {
      made.push(["largest element",
        element("span", {}, bytes(key.largestBytes), " ", key.largest === null ? "" : nameNode(key.largest.text))]);
    }
    if (data.dumps.length > 1 && key.dump < data.dumps.length) {
      made.push(["dump", isolated(data.dumps[key.dump])]);
    }
    return made;
  }

  /** @param {Part} of */
  function acts({ kind, name, key }) {
    if (kind === "key" && key !== null && key.nameBytes === null) {
      return [
        button("Copy name", () => copy("Name", name.text)),
        button("Copy command", () => copy("Command", keyCommand(key.db, name))),
      ];
    }
    return kind !== "prefix" ? [] : [
      button("Copy prefix", () => copy("Prefix", name.text)),
      button("Copy command", () => copy("Command", prefixCommand(dbs, name))),
      button("List its largest keys", () => showKeys(name.text)),
    ];
  }

  makeMap({
    trees: [
      { id: "prefix", title: "prefixes", root: prefixTree(data) },
      { id: "type", title: "databases and types", root: typeTree(data) },
    ],
    measures: MEASURES,
    measured: (measures, by) => (
      by === "keys" ? `${count(measures.keys)} ${measures.keys === 1 ? "key" : "keys"}` : bytes(measures[by])
    ),
    colourings: [
      colours("ttl", "time to live"), colours("type", "type"), colours("encoding", "encoding"),
      ...(data.keys.some(({ idle }) => idle !== null) ? [colours("idle", "time since last use")] : []),
    ],
    facts,
    acts,
  });
}
