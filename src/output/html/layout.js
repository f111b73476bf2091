// Where the tiles of the map lie: a squarified treemap, or an icicle with a column for each level.

/**
 * @typedef {{left: number, top: number, width: number, height: number}} Box
 * @typedef {{part: Part, box: Box, hasTitle: boolean}} Tile
 */

/** Pixels below which a tile can neither be seen nor hit. */
const TILE_AREA_MIN = 120;

/** Parts of one part that are drawn: more are not told apart, and take time. */
const PARTS_MAX = 300;

const TITLE_HEIGHT = 20;
const GAP = 2;

/**
 * The parts that can be seen in an area, largest first; all others together are the last one.
 * @param {Part} whole
 * @param {string} by
 * @param {number} pixels that all of them take together
 * @param {number} pixelsMin
 */
function seen(whole, by, pixels, pixelsMin) {
  const all = whole.measures[by];
  const sorted = whole.parts.filter((inner) => inner.measures[by] > 0);
  sorted.sort((a, b) => b.measures[by] - a.measures[by]);
  const least = (pixelsMin * all) / pixels;
  const enough = sorted.filter((inner, at) => at < PARTS_MAX && inner.measures[by] >= least);
  const small = sorted.slice(enough.length);
  if (small.length === 1) {
    return sorted;
  }
  if (small.length > 0) {
    const measures = { ...small[0].measures };
    for (const inner of small.slice(1)) {
      for (const measure of Object.keys(measures)) {
        measures[measure] += inner.measures[measure];
      }
    }
    const common = (/** @type {"type" | "encoding"} */ of) => (
      small.every((inner) => inner[of] === small[0][of]) ? small[0][of] : null
    );
    const more = part("more", `m:${whole.id}`, plain(`${count(small.length)} smaller`), measures);
    enough.push({ ...more, parts: small, parent: whole, type: common("type"), encoding: common("encoding") });
  }
  return enough;
}

/**
 * Fills a box with parts in rows that are as square as they can be (Bruls, Huizing and van Wijk, 2000).
 * @param {Part[]} parts largest first
 * @param {string} by
 * @param {Box} box
 * @returns {[Part, Box][]}
 */
function squarified(parts, by, box) {
  /** @type {[Part, Box][]} */
  const placed = [];
  let left = parts.reduce((sum, inner) => sum + inner.measures[by], 0);
  let { left: x, top: y, width, height } = box;
  let from = 0;
  while (from < parts.length && width > 0 && height > 0) {
    const scale = (width * height) / left;
    const side = Math.min(width, height);
    let to = from;
    let sum = 0;
    let worst = Infinity;
    while (to < parts.length) {
      const wider = sum + parts[to].measures[by];
      const depth = (wider * scale) / side;
      const ratio = (/** @type {number} */ value) => {
        const along = (value * scale) / depth;
        return Math.max(along / depth, depth / along);
      };
      const worse = Math.max(ratio(parts[from].measures[by]), ratio(parts[to].measures[by]));
      if (worse > worst) {
        break;
      }
      [sum, worst, to] = [wider, worse, to + 1];
    }
    const depth = to === parts.length ? Math.max(width * height / side, 0) : (sum * scale) / side;
    let along = 0;
    for (const inner of parts.slice(from, to)) {
      const length = (inner.measures[by] / sum) * side;
      placed.push([inner, width >= height
        ? { left: x, top: y + along, width: depth, height: length }
        : { left: x + along, top: y, width: length, height: depth }]);
      along += length;
    }
    if (width >= height) {
      [x, width] = [x + depth, width - depth];
    } else {
      [y, height] = [y + depth, height - depth];
    }
    left -= sum;
    from = to;
  }
  return placed;
}

/**
 * @param {Part} whole
 * @param {string} by
 * @param {Box} box
 * @param {number} depth levels below this one that are drawn
 * @returns {Tile[]}
 */
function treemap(whole, by, box, depth) {
  /** @type {Tile[]} */
  const tiles = [];
  for (const [inner, at] of squarified(seen(whole, by, box.width * box.height, TILE_AREA_MIN), by, box)) {
    const hasTitle = depth > 1 && inner.kind !== "more" && inner.parts.length > 0
      && at.width > 60 && at.height > TITLE_HEIGHT + 24;
    tiles.push({ part: inner, box: at, hasTitle });
    if (hasTitle) {
      const within = {
        left: at.left + GAP, top: at.top + TITLE_HEIGHT,
        width: at.width - 2 * GAP, height: at.height - TITLE_HEIGHT - GAP,
      };
      tiles.push(...treemap(inner, by, within, depth - 1));
    }
  }
  return tiles;
}

/** How many levels of parts there are. @param {Part} whole @returns {number} */
function levels(whole) {
  return whole.parts.reduce((most, inner) => Math.max(most, 1 + levels(inner)), 0);
}

/**
 * @param {Part} whole
 * @param {string} by
 * @param {Box} box of the column of its parts and all to the right of it
 * @param {number} columns
 * @returns {Tile[]}
 */
function icicle(whole, by, box, columns) {
  /** @type {Tile[]} */
  const tiles = [];
  const width = box.width / columns;
  let { top } = box;
  for (const inner of seen(whole, by, box.height, 4)) {
    const height = (inner.measures[by] / whole.measures[by]) * box.height;
    tiles.push({ part: inner, box: { left: box.left, top, width, height }, hasTitle: false });
    if (columns > 1 && inner.kind !== "more" && inner.parts.length > 0) {
      tiles.push(...icicle(inner, by, { left: box.left + width, top, width: box.width - width, height }, columns - 1));
    }
    top += height;
  }
  return tiles;
}
