// The map: databases, prefixes and their largest keys as a treemap or an icicle, that one can walk into.

/** @type {[Measure, string][]} */
const MEASURES = [
  ["memory", "memory"], ["serialized", "bytes in the dump"], ["keys", "keys"],
  ["memoryWithoutTtl", "memory that never expires"],
];

/** @param {Measures} measures @param {Measure} by */
function measured(measures, by) {
  return by === "keys" ? `${count(measures.keys)} ${measures.keys === 1 ? "key" : "keys"}` : bytes(measures[by]);
}

/**
 * What a tile is called within the one that it is a part of: of a prefix what it adds to the shorter one.
 * @param {Part} of
 */
function shortName({ kind, name, parent }) {
  const isLonger = (kind === "prefix" || kind === "key") && parent?.kind === "prefix"
    && name.text.length > parent.name.text.length && name.text.startsWith(parent.name.text);
  return isLonger ? name.text.slice(parent.name.text.length) : name.text;
}

/** A part as it is called within the one that it is a part of. @param {Part} of */
function labelOf(of) {
  const isName = of.kind === "prefix" || of.kind === "key";
  return isName ? element("bdi", { class: "name" }, visible(shortName(of).slice(0, 200))) : of.name.text;
}

/**
 * @param {Data} data
 * @param {(prefix: string) => void} showKeys
 */
function makeMap(data, showKeys) {
  const section = place("map");
  const trees = { prefix: prefixTree(data), type: typeTree(data) };
  const dbs = data.databases.flatMap(({ db }) => (db === null ? [] : [db])).sort((a, b) => a - b).slice(0, 64);

  /** @typedef {{shape: "treemap" | "icicle", by: Measure, tree: "prefix" | "type", colouring: Colouring, at: Part}} View */
  /** @returns {View} */
  const read = () => {
    const tree = chosenOf("tree", /** @type {const} */ (["prefix", "type"]));
    return {
      tree,
      shape: chosenOf("shape", /** @type {const} */ (["treemap", "icicle"])),
      by: chosenOf("by", MEASURES.map(([measure]) => measure)),
      colouring: chosenOf("colour", /** @type {const} */ (["ttl", "type", "encoding"])),
      at: findPart(trees[tree], chosen.get("at") ?? "all"),
    };
  };
  let view = read();

  const shape = choice("Shape", [["treemap", "treemap"], ["icicle", "icicle"]], (value) => change("shape", value, "treemap"));
  const tree = choice("Parts", [["prefix", "prefixes"], ["type", "databases and types"]], (value) => {
    choose("at", "all", "all");
    change("tree", value, "prefix");
  });
  const by = choice("Size", MEASURES, (value) => change("by", value, "memory"));
  const colour = choice("Colour", [["ttl", "time to live"], ["type", "type"], ["encoding", "encoding"]],
    (value) => change("colour", value, "ttl"));
  const path = element("nav", { class: "path", "aria-label": "Place in the map" });
  const colours = element("ul", { class: "legend", "aria-label": "Colours" });
  const tiles = element("div", { class: "tiles", role: "group" });
  const card = element("div", { class: "card" });
  const hint = element("p", { class: "note" },
    "Click a part to look into it. With the keyboard: arrows move, Enter looks into a part, Backspace leaves it.");
  section.append(
    element("div", { class: "tools" }, by.label, tree.label, shape.label, colour.label), path, tiles, colours, card, hint,
  );

  /** @param {string} key @param {string} value @param {string} byDefault */
  function change(key, value, byDefault) {
    choose(key, value, byDefault);
    view = read();
    draw();
  }

  /** @param {Part} to */
  function walkTo(to) {
    // What is gathered of small parts has no place that a link could name.
    choose("at", to.kind === "more" ? (to.parent?.id ?? "all") : to.id, "all");
    view = { ...view, at: to };
    draw();
    nodes[0]?.focus({ preventScroll: true });
    pin(to);
  }

  /** What the card is about while nothing is pointed at, and what it is about now. @type {Part} */
  let pinned = view.at;
  /** @type {Part | null} */
  let shown = null;

  /** @param {Part} of */
  function pin(of) {
    pinned = of;
    show(of);
  }

  /** @param {Part} of */
  function show(of) {
    if (of === shown) {
      return;
    }
    shown = of;
    const { kind, name, measures, key } = of;
    const facts = element("dl", { class: "facts" });
    /** @param {string} label @param {Node | string} value */
    const fact = (label, value) => {
      facts.append(element("div", {}, element("dt", {}, label), element("dd", {}, value)));
    };
    const isKnown = key === null || key.isMemoryKnown;
    const basis = key?.basis === null || key === null ? "" : ` (${key.basis === "estimate" ? "an estimate" : "at least"})`;
    fact("memory", isKnown ? `${bytes(measures.memory)}${basis}, ${share(measures.memory, data.totals.memory)} of all` : "unknown");
    fact("in the dump", `${bytes(measures.serialized)}, ${share(measures.serialized, data.totals.serialized)}`);
    if (key === null) {
      fact("keys", `${count(measures.keys)}, ${share(measures.keys, data.totals.keys)}`);
      fact("never expire", `${share(measures.keysWithoutTtl, measures.keys)} of them, ${bytes(measures.memoryWithoutTtl)}`);
    } else {
      fact("type", `${key.type}, ${key.encoding}, db ${key.db}`);
      fact("elements", count(measures.elements));
      fact("expires", key.expiresAtMs === null ? "never" : moment(key.expiresAtMs));
      if (key.largestBytes !== null) {
        fact("largest element", element("span", {}, bytes(key.largestBytes), " ", key.largest === null ? "" : nameNode(key.largest.text)));
      }
      if (data.dumps.length > 1 && key.dump < data.dumps.length) {
        fact("dump", isolated(data.dumps[key.dump]));
      }
    }
    const acts = element("div", { class: "acts" });
    if (kind === "key" && key !== null && key.nameBytes === null) {
      acts.append(
        button("Copy name", () => copy("Name", name.text)),
        button("Copy command", () => copy("Command", keyCommand(key.db, name))),
      );
    }
    if (kind === "prefix") {
      acts.append(
        button("Copy prefix", () => copy("Prefix", name.text)),
        button("Copy command", () => copy("Command", prefixCommand(dbs, name))),
        button("List its largest keys", () => showKeys(name.text)),
      );
    }
    const title = { key: "Key ", prefix: "Prefix ", type: "Type ", encoding: "Encoding " }[String(kind)] ?? "";
    card.replaceChildren(element("h3", {}, title, title === "" ? name.text : nameNode(name.text)), facts, acts);
  }

  function drawPath() {
    /** @type {Part[]} */
    const parts = [];
    for (let of = /** @type {Part | null} */ (view.at); of !== null; of = of.parent) {
      parts.unshift(of);
    }
    const list = element("ol", {});
    for (const of of parts) {
      const label = labelOf(of);
      const isHere = of === view.at;
      const step = isHere ? element("span", { "aria-current": "location" }, label) : button("", () => walkTo(of));
      if (!isHere) {
        step.replaceChildren(label);
      }
      list.append(element("li", {}, step));
    }
    path.replaceChildren(list, element("span", { class: "sum" }, measured(view.at.measures, view.by)));
  }

  /** @param {Tile} tile @param {Box} box */
  function tileNode({ part: of, box: at, hasTitle }, box) {
    const size = measured(of.measures, view.by);
    const ofAll = share(of.measures[view.by], trees[view.tree].measures[view.by]);
    const whole = of.kind === "prefix" || of.kind === "key" ? `${of.kind} ${visible(of.name.text.slice(0, 200))}` : of.kind;
    const node = element("button", {
      type: "button", tabindex: "-1", class: `tile ${hasTitle ? "has-parts" : colourClass(of, view.colouring)}`,
      // What stands on it comes first, as those who say what they see expect.
      "aria-label": `${visible(shortName(of).slice(0, 200))} ${size}, ${ofAll}, ${whole}`,
    });
    node.style.left = `${(at.left / box.width) * 100}%`;
    node.style.top = `${(at.top / box.height) * 100}%`;
    node.style.width = `${(at.width / box.width) * 100}%`;
    node.style.height = `${(at.height / box.height) * 100}%`;
    if (at.height > 14 && at.width > Math.min(56, shortName(of).length * 8 + 8)) {
      node.append(element("span", { class: "label" }, labelOf(of)));
      if (hasTitle || at.height > 32) {
        node.append(" ", element("span", { class: "size" }, size));
      }
    }
    node.addEventListener("mouseenter", () => show(of));
    node.addEventListener("focus", () => pin(of));
    node.addEventListener("click", () => (of.parts.length > 0 ? walkTo(of) : pin(of)));
    return node;
  }

  /** @type {HTMLButtonElement[]} */
  let nodes = [];
  /** @type {Tile[]} */
  let drawn = [];

  function draw() {
    shape.select.value = view.shape;
    tree.select.value = view.tree;
    by.select.value = view.by;
    colour.select.value = view.colouring;
    const box = { left: 0, top: 0, width: tiles.clientWidth, height: tiles.clientHeight };
    const isEmpty = view.at.measures[view.by] === 0;
    if (isEmpty || box.width === 0) {
      drawn = [];
    } else if (view.shape === "treemap") {
      drawn = treemap(view.at, view.by, box, 3);
    } else {
      drawn = icicle(view.at, view.by, box, Math.min(levels(view.at), Math.max(2, Math.floor(box.width / 170)), 5));
    }
    nodes = drawn.map((tile) => tileNode(tile, box));
    nodes[0]?.setAttribute("tabindex", "0");
    tiles.setAttribute("aria-label", `${view.shape} of ${visible(view.at.name.text)} by ${view.by === "keys" ? "keys" : "bytes"}`);
    tiles.replaceChildren(...nodes, ...(isEmpty ? [element("p", { class: "note" }, "Nothing of this measure is here.")] : []));
    colours.replaceChildren(...legend(data, view.colouring).map(([name, title]) => (
      element("li", {}, element("span", { class: `swatch ${name}` }), title)
    )));
    drawPath();
    pin(view.at);
  }

  /** The nearest tile in a direction. @param {number} from @param {string} key */
  function neighbour(from, key) {
    const middle = (/** @type {Tile} */ { box: of, hasTitle }) => (
      [of.left + of.width / 2, hasTitle ? of.top + TITLE_HEIGHT / 2 : of.top + of.height / 2]
    );
    const [x, y] = middle(drawn[from]);
    let best = from;
    let least = Infinity;
    drawn.forEach((tile, at) => {
      const [dx, dy] = [middle(tile)[0] - x, middle(tile)[1] - y];
      const [ahead, aside] = {
        ArrowRight: [dx, dy], ArrowLeft: [-dx, dy], ArrowDown: [dy, dx], ArrowUp: [-dy, dx],
      }[key] ?? [0, 0];
      const far = ahead + 2 * Math.abs(aside);
      if (at !== from && ahead > 1 && far < least) {
        [best, least] = [at, far];
      }
    });
    return best;
  }

  tiles.addEventListener("keydown", (event) => {
    const from = nodes.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    if (event.key.startsWith("Arrow") && from >= 0) {
      const to = nodes[neighbour(from, event.key)];
      nodes[from].setAttribute("tabindex", "-1");
      to.setAttribute("tabindex", "0");
      to.focus();
    } else if ((event.key === "Backspace" || event.key === "Escape") && view.at.parent !== null) {
      walkTo(view.at.parent);
    } else {
      return;
    }
    event.preventDefault();
  });

  tiles.addEventListener("mouseleave", () => show(pinned));

  let width = 0;
  new ResizeObserver(() => {
    if (tiles.clientWidth !== width) {
      width = tiles.clientWidth;
      draw();
    }
  }).observe(tiles);
  onChosen(() => {
    view = read();
    draw();
  });
  section.hidden = false;
  width = tiles.clientWidth;
  draw();
}
