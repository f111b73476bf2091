// The report's lists, as rows of the page's block of JSON, and the trees that the map draws of them.

/**
 * @typedef {{name: Name, db: number, type: string, encoding: string, prefix: number | null, basis: string | null,
 *   isMemoryKnown: boolean, size: number, expiresAtMs: number | null, dump: number, nameBytes: number | null,
 *   largestBytes: number | null, largest: Name | null, idle: number | null, measures: Measures}} Key
 * @typedef {{name: Name, measures: Measures, parent: number | null}} Prefix
 * @typedef {{name: Name, measures: Measures}} Tag
 * @typedef {{title: string, db: number | null, measures: Measures, types: {type: string, measures: Measures,
 *   encodings: {name: string, measures: Measures}[]}[]}} Database
 * @typedef {{totals: Measures, dumps: string[], databases: Database[], prefixes: Prefix[], tags: Tag[],
 *   slots: {memory: number[], keys: number[]} | null, keys: Key[]}} Data
 */

/** @param {number[]} cells @returns {Measures} */
function readMeasures([memory, serialized, keys, memoryWithoutTtl, keysWithoutTtl, elements]) {
  return { memory, serialized, keys, memoryWithoutTtl, keysWithoutTtl, elements };
}

/** @param {any[]} cells @returns {Key} */
function readKey(cells) {
  const [name, db, type, encoding, prefix, memory, basis, serialized, elements, size, expiresAtMs] = cells;
  const [dump, nameBytes, largestBytes, largest, idle] = cells.slice(11);
  const neverExpires = expiresAtMs === null;
  return {
    name: readName(name), db, type, encoding, prefix, basis, size, expiresAtMs, dump, nameBytes, largestBytes, idle,
    isMemoryKnown: memory !== null,
    largest: largest === null ? null : readName(largest),
    measures: {
      memory: memory ?? 0, serialized, elements, keys: 1,
      memoryWithoutTtl: neverExpires ? (memory ?? 0) : 0,
      keysWithoutTtl: neverExpires ? 1 : 0,
    },
  };
}

/** @param {string} title @param {any[]} cells @returns {Database} */
function readDatabase(title, [db, measures, types]) {
  return {
    title, db, measures: readMeasures(measures),
    types: types.map((/** @type {any[]} */ [type, ofType, encodings]) => ({
      type, measures: readMeasures(ofType),
      encodings: encodings.map((/** @type {any[]} */ [name, of]) => ({ name, measures: readMeasures(of) })),
    })),
  };
}

/** @param {string} json @returns {Data} */
function readData(json) {
  const block = JSON.parse(json);
  const databases = block.databases.map((/** @type {any[]} */ row) => readDatabase(`db ${row[0]}`, row));
  if (block.other_databases !== null) {
    const [from, ...others] = block.other_databases;
    databases.push(readDatabase(`from db ${from} on`, [null, ...others]));
  }
  return {
    totals: readMeasures(block.totals), dumps: block.dumps, databases, slots: block.slots,
    keys: block.keys.map(readKey),
    tags: block.tags.map((/** @type {any[]} */ [name, measures]) => ({ name: readName(name), measures: readMeasures(measures) })),
    prefixes: block.prefixes.map((/** @type {any[]} */ [name, measures, parent]) => (
      { name: readName(name), measures: readMeasures(measures), parent }
    )),
  };
}

/** @param {Key} key */
function keyPart(key) {
  const id = `k:${key.db}:${key.dump}:${key.name.text}`;
  return part("key", id, key.name, key.measures, { type: key.type, encoding: key.encoding, key });
}

/**
 * Adds to each part what its own parts leave of it.
 * @param {Part} whole
 */
function addRests(whole) {
  if (whole.parts.length === 0) {
    return;
  }
  const rest = { ...whole.measures };
  for (const inner of whole.parts) {
    addRests(inner);
    for (const measure of Object.keys(rest)) {
      rest[measure] = Math.max(0, rest[measure] - inner.measures[measure]);
    }
  }
  if (rest.keys > 0 || rest.serialized > 0) {
    const title = plain(whole.parts.every((inner) => inner.kind === "key") ? "smaller keys" : "other keys");
    put(whole, part("rest", `r:${whole.id}`, title, rest, { type: whole.type, encoding: whole.encoding }));
  }
}

/**
 * All keys by prefix, each with the largest keys that are under no longer one.
 * @param {Data} data
 */
function prefixTree(data) {
  const only = data.databases.length === 1 ? data.databases[0].title : "all databases";
  const root = part("all", "all", plain(only), data.totals);
  const prefixes = data.prefixes.map(({ name, measures }) => part("prefix", `p:${name.text}`, name, measures));
  data.prefixes.forEach(({ parent }, at) => put(parent === null ? root : prefixes[parent], prefixes[at]));
  for (const key of data.keys) {
    put(key.prefix === null ? root : prefixes[key.prefix], keyPart(key));
  }
  addRests(root);
  return root;
}

/**
 * All keys by database, type and encoding, each with its largest keys.
 * @param {Data} data
 */
function typeTree(data) {
  const root = part("all", "all", plain("all databases"), data.totals);
  /** @type {Map<string, Part>} */
  const places = new Map();
  for (const database of data.databases) {
    const ofDatabase = part("database", `d:${database.title}`, plain(database.title), database.measures);
    put(root, ofDatabase);
    for (const { type, measures, encodings } of database.types) {
      const ofType = part("type", `t:${database.db}:${type}`, plain(type), measures, { type });
      put(ofDatabase, ofType);
      for (const { name, measures: ofEncoding } of encodings) {
        const id = `e:${database.db}:${type}:${name}`;
        const inner = part("encoding", id, plain(name), ofEncoding, { type, encoding: name });
        put(ofType, inner);
        places.set(id, inner);
      }
    }
  }
  for (const key of data.keys) {
    const at = places.get(`e:${key.db}:${key.type}:${key.encoding}`);
    if (at !== undefined) {
      put(at, keyPart(key));
    }
  }
  addRests(root);
  return root;
}
