// The lists of what changed: prefixes, prefixes by what became of their keys, and keys.

/** @param {number} change @param {(amount: number) => string} show */
function signed(change, show) {
  return change === 0 ? "-" : `${change > 0 ? "+" : "-"}${show(Math.abs(change))}`;
}

/** @param {Changes} changes @param {(prefix: string) => void} showOnMap */
function makeChangedPrefixes(changes, showOnMap) {
  if (changes.prefixes.length === 0) {
    return;
  }
  /** @type {Column<ChangedPrefix>[]} */
  const columns = [
    { id: "name", title: "Prefix", isText: true, value: ({ name }) => name.text, show: ({ name }) => {
      const go = button("", () => showOnMap(name.text), { class: "link" });
      go.replaceChildren(isolated(name.text));
      return go;
    } },
    { id: "change", title: "Change", value: ({ measures }) => changeOf(measures, "memory"), show: ({ measures }) => signed(changeOf(measures, "memory"), bytes) },
    {
      id: "percent", title: "Of before",
      value: ({ measures }) => (measures.memoryOld === 0 ? null : Number(((changeOf(measures, "memory") * 100) / measures.memoryOld).toFixed(1))),
      show: ({ measures }) => (measures.memoryOld === 0 ? "new" : signed(changeOf(measures, "memory"), (amount) => share(amount, measures.memoryOld))),
    },
    { id: "old", title: "Old", value: ({ measures }) => measures.memoryOld, show: ({ measures }) => bytes(measures.memoryOld) },
    { id: "new", title: "New", value: ({ measures }) => measures.memoryNew, show: ({ measures }) => bytes(measures.memoryNew) },
    { id: "keys_change", title: "Change of keys", value: ({ measures }) => changeOf(measures, "keys"), show: ({ measures }) => signed(changeOf(measures, "keys"), count) },
    { id: "keys", title: "Keys", value: ({ measures }) => measures.keysNew, show: ({ measures }) => count(measures.keysNew) },
    {
      id: "never_change", title: "Change of what never expires",
      value: ({ measures }) => changeOf(measures, "memoryWithoutTtl"), show: ({ measures }) => signed(changeOf(measures, "memoryWithoutTtl"), bytes),
    },
  ];
  makeList(place("prefixes"), {
    id: "prefixes", caption: "Prefixes that changed, each with all keys under it", things: "prefixes, each with all keys under it",
    rows: changes.prefixes, columns, sortedBy: "-change", nameOf: ({ name }) => name, sumOf: () => "",
    choices: [{ title: "Memory", id: "way", read: ({ measures }) => {
      const change = changeOf(measures, "memory");
      return change === 0 ? "same" : change > 0 ? "grew" : "shrank";
    } }],
    acts: ({ name }) => [["name", () => copy("Prefix", name.text)]],
    more: [
      ["name_base64", ({ name }) => name.base64], ["old_keys", ({ measures }) => measures.keysOld],
      ["old_keys_without_ttl", ({ measures }) => measures.keysWithoutTtlOld], ["new_keys_without_ttl", ({ measures }) => measures.keysWithoutTtlNew],
    ],
  });
}

/** @param {Changes} changes */
function makeMoved({ moved }) {
  if (moved.length === 0) {
    return;
  }
  const titles = ["came", "went", "grew", "shrank", "other value", "other type", "other expiry"];
  /** @type {Column<MovedPrefix>[]} */
  const columns = [
    { id: "name", title: "Prefix", isText: true, value: ({ name }) => name.text, show: ({ name }) => isolated(name.text) },
    ...titles.map((title, at) => ({
      id: title.replace(" ", "_"), title: `${title.charAt(0).toUpperCase()}${title.slice(1)}`,
      value: (/** @type {MovedPrefix} */ { counts }) => counts[at], show: (/** @type {MovedPrefix} */ { counts }) => count(counts[at]),
    })),
  ];
  makeList(place("moved"), {
    id: "moved", caption: "Prefixes by what became of their keys", things: "prefixes, each with all keys under it",
    rows: moved, columns, sortedBy: "-came", nameOf: ({ name }) => name, sumOf: () => "", choices: [],
    acts: ({ name }) => [["name", () => copy("Prefix", name.text)]],
    more: [["name_base64", ({ name }) => name.base64]],
  });
}

/** @param {Changes} changes */
function makeChangedKeys({ keys }) {
  const section = document.getElementById("keys");
  if (section === null || keys.length === 0) {
    return;
  }
  const change = (/** @type {ChangedKey} */ key) => (key.new ?? 0) - (key.old ?? 0);
  const at = (/** @type {number | null} */ atMs) => (atMs === null ? "never" : moment(atMs));
  const databases = new Set(keys.map(({ db }) => db));
  /** @type {Column<ChangedKey>[]} */
  const columns = [
    { id: "name", title: "Key", isText: true, value: ({ name }) => name.text, show: ({ name, nameBytes }) => {
      const node = nameNode(name.text);
      return nameBytes === null ? node : element("span", {}, node, ` … (${count(nameBytes)} bytes)`);
    } },
    { id: "what", title: "What", isText: true, value: ({ what }) => what, show: ({ what }) => what },
    { id: "type", title: "Type", isText: true, value: ({ type }) => type, show: ({ type, oldType }) => (oldType === null ? type : `${oldType} → ${type}`) },
    ...(databases.size > 1 ? [{
      id: "db", title: "db", value: (/** @type {ChangedKey} */ { db }) => db, show: (/** @type {ChangedKey} */ { db }) => String(db),
    }] : []),
    { id: "change", title: "Change", value: change, show: (key) => signed(change(key), bytes) },
    { id: "old", title: "Old", value: (key) => key.old, show: (key) => (key.old === null ? "-" : bytes(key.old)) },
    { id: "new", title: "New", value: (key) => key.new, show: (key) => (key.new === null ? "-" : bytes(key.new)) },
    ...(keys.some(({ expiry }) => expiry !== null) ? [{
      id: "expiry", title: "Expires (UTC)",
      value: (/** @type {ChangedKey} */ { expiry }) => expiry?.[1] ?? null,
      show: (/** @type {ChangedKey} */ { what, expiry }) => (expiry === null ? (["came", "went"].includes(what) ? "-" : "as before") : `${at(expiry[0])} → ${at(expiry[1])}`),
    }] : []),
  ];
  makeList(section, {
    id: "keys", caption: "The keys that changed most, of each kind of change", things: "listed keys",
    rows: keys, columns, sortedBy: "-change", nameOf: ({ name }) => name,
    sumOf: (rows) => {
      // A key with another type or expiry can be in two lists.
      const once = new Map(rows.map((key) => [`${key.db}:${key.name.base64 ?? key.name.text}`, change(key)]));
      return `: ${signed([...once.values()].reduce((sum, by) => sum + by, 0), bytes)} of memory`;
    },
    choices: [
      { title: "What", id: "what", read: ({ what }) => what }, { title: "Type", id: "type", read: ({ type }) => type },
      { title: "Database", id: "db", read: ({ db }) => String(db) },
    ],
    acts: ({ name, db, nameBytes }) => (nameBytes !== null ? [] : [
      ["name", () => copy("Name", name.text)],
      ["command", () => copy("Command", keyCommand(db, name))],
    ]),
    more: [
      ["name_base64", ({ name }) => name.base64], ["old_type", ({ oldType }) => oldType],
      ["old_expires_at_ms", ({ expiry }) => expiry?.[0] ?? null], ["new_expires_at_ms", ({ expiry }) => expiry?.[1] ?? null],
    ],
  });
}
