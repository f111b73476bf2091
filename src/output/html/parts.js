// What the map draws: a tree of parts, each with measures of all that is under it.

/** @typedef {Record<string, number>} Measures */

/**
 * What the map draws: a part of its parent.
 * @typedef {object} Part
 * @property {"all" | "database" | "prefix" | "type" | "encoding" | "key" | "rest" | "more"} kind
 * @property {string} id by which a link names it
 * @property {Name} name
 * @property {Measures} measures
 * @property {Part[]} parts
 * @property {Part | null} parent
 * @property {string | null} type where all keys have one
 * @property {string | null} encoding where all keys have one
 * @property {any} key what is known of the key
 */

/** @param {unknown} cell @returns {Name} */
function readName(cell) {
  return Array.isArray(cell) ? { text: cell[0], base64: cell[1] } : { text: String(cell), base64: null };
}

/**
 * @param {Part["kind"]} kind
 * @param {string} id
 * @param {Name} name
 * @param {Measures} measures
 * @param {Partial<Part>} known
 * @returns {Part}
 */
function part(kind, id, name, measures, known = {}) {
  return { kind, id, name, measures, parts: [], parent: null, type: null, encoding: null, key: null, ...known };
}

/** @param {string} text @returns {Name} */
function plain(text) {
  return { text, base64: null };
}

/** @param {Part} parent @param {Part} child */
function put(parent, child) {
  child.parent = parent;
  parent.parts.push(child);
}

/**
 * The part of a tree that a link names, or the whole.
 * @param {Part} root
 * @param {string} id
 * @returns {Part}
 */
function findPart(root, id) {
  const waiting = [root];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.id === id) {
      return next;
    }
    waiting.push(...next.parts);
  }
  return root;
}
