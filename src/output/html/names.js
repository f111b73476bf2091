// Names of keys are hostile text: they are shown as text of their own direction, with what cannot be seen in them made
// visible, and they go into commands only in forms that no shell and no terminal acts on.

/**
 * A name: its text, bytes that are not UTF-8 as \xff, and then its bytes in Base64 too.
 * @typedef {{text: string, base64: string | null}} Name
 */

/** The same characters as the program makes visible in a terminal. */
const INVISIBLE =
  // eslint-disable-next-line no-misleading-character-class -- each is meant alone
  /[\p{Cc}\u{ad}\u{34f}\u{600}-\u{605}\u{61c}\u{6dd}\u{70f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}-\u{180f}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{feff}\u{ffa0}\u{fff0}-\u{fffb}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** Characters of a name that are shown before one has to open it. */
const SHOWN_MAX = 160;

/** @param {string} character */
function escaped(character) {
  const known = { "\t": "\\t", "\n": "\\n", "\r": "\\r" }[character];
  return known ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/**
 * Text with what cannot be seen in it made visible.
 * @param {string} text
 */
function visible(text) {
  return text === "" ? '""' : text.replace(INVISIBLE, escaped);
}

/**
 * Text of its own direction, in which what was made visible looks different from what stands there.
 * @param {string} text
 */
function isolated(text) {
  const bdi = element("bdi", { class: "name" });
  let from = 0;
  for (const found of text.matchAll(INVISIBLE)) {
    bdi.append(text.slice(from, found.index), element("span", { class: "escape" }, escaped(found[0])));
    from = found.index + found[0].length;
  }
  bdi.append(text === "" ? '""' : text.slice(from));
  return bdi;
}

/**
 * A name of any length: of a long one its ends, and the whole when it is opened.
 * @param {string} text
 * @returns {HTMLElement}
 */
function nameNode(text) {
  const characters = [...text];
  if (characters.length <= SHOWN_MAX) {
    return isolated(text);
  }
  const ends = [...characters.slice(0, 100), " … ", ...characters.slice(-40)].join("");
  const summary = element("summary", {}, isolated(ends), ` (${count(characters.length)} characters)`);
  return element("details", { class: "long" }, summary, isolated(text));
}

/** @param {Name} name */
function bytesOf(name) {
  if (name.base64 === null) {
    return new TextEncoder().encode(name.text);
  }
  return Uint8Array.from(atob(name.base64), (character) => character.charCodeAt(0));
}

/** @param {string} word */
function shellQuoted(word) {
  return /^[\w.,:/@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Bytes as redis-cli reads them from its input, in nothing but printable ASCII without single quotes.
 * @param {Uint8Array} bytes
 */
function redisQuoted(bytes) {
  const isPlain = (/** @type {number} */ byte) => byte > 0x20 && byte < 0x7f && !'"\\\''.includes(String.fromCharCode(byte));
  const hex = (/** @type {number} */ byte) => `\\x${byte.toString(16).padStart(2, "0")}`;
  return `"${Array.from(bytes, (byte) => (isPlain(byte) ? String.fromCharCode(byte) : hex(byte))).join("")}"`;
}

/**
 * Words of redis-cli that can be pasted into a shell: a name as it is, or where a shell or a terminal would act on it,
 * between quotes that redis-cli takes off when `option` says so.
 * @param {string} before words before the name
 * @param {string} option that says the name is quoted
 * @param {Name} name
 */
function redisWords(before, option, name) {
  if (name.text !== "" && name.base64 === null && name.text.search(INVISIBLE) < 0 && !/["\\]/.test(name.text)) {
    return `${before} ${shellQuoted(name.text)}`;
  }
  return `${option} ${before} '${redisQuoted(bytesOf(name))}'`.trim();
}

/**
 * The command that asks a server what a key takes.
 * @param {number} db
 * @param {Name} name
 */
function keyCommand(db, name) {
  return `redis-cli -n ${db} ${redisWords("MEMORY USAGE", "--quoted-input", name)} SAMPLES 0`;
}

/**
 * The command that lists the keys under a prefix, of one database or several.
 * @param {number[]} dbs
 * @param {Name} prefix
 */
function prefixCommand(dbs, prefix) {
  const glob = globOf(prefix);
  const isPlain = glob.base64 === null && glob.text.search(INVISIBLE) < 0 && !/["\\]/.test(glob.text);
  const pattern = isPlain
    ? `--pattern ${shellQuoted(glob.text)}` : `--quoted-pattern '${redisQuoted(bytesOf(glob))}'`;
  return dbs.length === 1
    ? `redis-cli -n ${dbs[0]} --scan ${pattern}`
    : `for db in ${dbs.join(" ")}; do redis-cli -n "$db" --scan ${pattern}; done`;
}

/**
 * A glob that only names beginning with this one match.
 * @param {Name} prefix
 * @returns {Name}
 */
function globOf(prefix) {
  const bytes = Array.from(bytesOf(prefix), (byte) => String.fromCharCode(byte)).join("");
  const glob = `${bytes.replace(/[\\*?[\]^-]/g, "\\$&")}*`;
  if (prefix.base64 !== null) {
    return { text: prefix.text, base64: btoa(glob) };
  }
  return { text: `${prefix.text.replace(/[\\*?[\]^-]/g, "\\$&")}*`, base64: null };
}

/**
 * A cell of CSV that no spreadsheet takes for a formula; a leading quote is not part of the cell.
 * @param {string} text
 */
function csvCell(text) {
  const guarded = /^[=+\-@'\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}
