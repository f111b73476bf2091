// The map: a tree of parts as a treemap or an icicle, that one can walk into.

/**
 * @typedef {object} Colours
 * @property {string} id
 * @property {string} title
 * @property {(of: Part, by: string) => string} classOf the class of a part's colour
 * @property {() => string[][]} legend classes with what they stand for
 */

/**
 * What there is to see; of each choice the first one is the default.
 * @typedef {object} MapPlan
 * @property {{id: string, title: string, root: Part}[]} trees
 * @property {[string, string][]} measures which make the areas, and what they are called
 * @property {(measures: Measures, by: string) => string} measured
 * @property {Colours[]} colourings
 * @property {(of: Part) => [string, Node | string][]} facts of the card
 * @property {(of: Part) => Node[]} acts buttons of the card
 */

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

/** @param {MapPlan} plan */
function makeMap(plan) {
  const section = place("map");
  const ids = (/** @type {{id: string}[]} */ of) => of.map(({ id }) => id);

  /** @typedef {{shape: "treemap" | "icicle", by: string, root: Part, colours: Colours, at: Part}} View */
  /** @returns {View} */
  const read = () => {
    const tree = chosenOf("tree", ids(plan.trees));
    const colour = chosenOf("colour", ids(plan.colourings));
    const { root } = plan.trees.find(({ id }) => id === tree) ?? plan.trees[0];
    return {
      root,
      shape: chosenOf("shape", /** @type {const} */ (["treemap", "icicle"])),
      by: chosenOf("by", plan.measures.map(([measure]) => measure)),
      colours: plan.colourings.find(({ id }) => id === colour) ?? plan.colourings[0],
      at: findPart(root, chosen.get("at") ?? "all"),
    };
  };
  let view = read();

  const shape = choice("Shape", [["treemap", "treemap"], ["icicle", "icicle"]], (value) => change("shape", value, "treemap"));
  const options = (/** @type {{id: string, title: string}[]} */ of) => (
    of.map(({ id, title }) => /** @type {[string, string]} */ ([id, title]))
  );
  const tree = choice("Parts", options(plan.trees), (value) => {
    choose("at", "all", "all");
    change("tree", value, plan.trees[0].id);
  });
  const by = choice("Size", plan.measures, (value) => change("by", value, plan.measures[0][0]));
  const colour = choice("Colour", options(plan.colourings), (value) => change("colour", value, plan.colourings[0].id));
  const path = element("nav", { class: "path", "aria-label": "Place in the map" });
  const colours = element("ul", { class: "legend", "aria-label": "Colours" });
  const tiles = element("div", { class: "tiles", role: "group" });
  const card = element("div", { class: "card" });
  const hint = element("p", { class: "note" },
    "Click a part to look into it. With the keyboard: arrows move, Enter looks into a part, Backspace leaves it.");
  section.append(
    element("div", { class: "tools" }, by.label, ...(plan.trees.length > 1 ? [tree.label] : []), shape.label,
      ...(plan.colourings.length > 1 ? [colour.label] : [])), path, tiles, colours, card, hint,
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
    const { kind, name } = of;
    const facts = plan.facts(of).map(([label, value]) => (
      element("div", {}, element("dt", {}, label), element("dd", {}, value))
    ));
    const title = { key: "Key ", prefix: "Prefix ", type: "Type ", encoding: "Encoding " }[String(kind)] ?? "";
    card.replaceChildren(element("h3", {}, title, title === "" ? name.text : nameNode(name.text)),
      element("dl", { class: "facts" }, ...facts), element("div", { class: "acts" }, ...plan.acts(of)));
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
    path.replaceChildren(list, element("span", { class: "sum" }, plan.measured(view.at.measures, view.by)));
  }

  /** @param {Tile} tile @param {Box} box */
  function tileNode({ part: of, box: at, hasTitle }, box) {
    const size = plan.measured(of.measures, view.by);
    const ofAll = share(of.measures[view.by], view.root.measures[view.by]);
    const whole = of.kind === "prefix" || of.kind === "key" ? `${of.kind} ${visible(of.name.text.slice(0, 200))}` : of.kind;
    const node = element("button", {
      type: "button", tabindex: "-1", class: `tile ${hasTitle ? "has-parts" : view.colours.classOf(of, view.by)}`,
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
    tree.select.value = chosenOf("tree", ids(plan.trees));
    by.select.value = view.by;
    colour.select.value = view.colours.id;
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
    tiles.setAttribute("aria-label", `${view.shape} of ${visible(view.at.name.text)} by ${plan.measures.find(([measure]) => measure === view.by)?.[1]}`);
    tiles.replaceChildren(...nodes, ...(isEmpty ? [element("p", { class: "note" }, "Nothing of this measure is here.")] : []));
    colours.replaceChildren(...view.colours.legend().map(([name, title]) => (
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
