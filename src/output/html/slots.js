// The strip of slots of a cluster: how much each takes against the mean of those that have keys.

const SLOTS_A_ROW = 512;
const ROWS = 32;

/** Classes of the style sheet, and up to how many times the mean each goes. @type {[string, number, string][]} */
const LOADS = [
  ["load-0", 0, "no keys"], ["load-1", 0.7, "under 0.7 × mean"], ["load-2", 1.4, "up to 1.4 ×"],
  ["load-3", 3, "up to 3 ×"], ["load-4", Infinity, "over 3 ×"],
];

/** @param {Data} data */
function makeSlots({ slots }) {
  const section = document.getElementById("slots");
  if (section === null || slots === null) {
    return;
  }
  const canvas = element("canvas", {
    width: String(SLOTS_A_ROW), height: String(ROWS), class: "strip", role: "img",
    "aria-label": "All 16,384 slots from left to right and top to bottom; the table below has the largest",
  });
  const found = element("p", { class: "sum" }, "Point at a slot to see what it takes.");
  const by = choice("Slots by", [["memory", "memory"], ["keys", "keys"]], (value) => {
    choose("slots.by", value, "memory");
    draw();
  });
  const loads = element("ul", { class: "legend", "aria-label": "Loads of slots" }, ...LOADS.map(([name, , title]) => (
    element("li", {}, element("span", { class: `swatch ${name}` }), title)
  )));
  section.append(element("div", { class: "tools" }, by.label), canvas, loads, found);
  section.hidden = false;

  function draw() {
    const measure = chosenOf("slots.by", /** @type {const} */ (["memory", "keys"]));
    by.select.value = measure;
    const values = slots?.[measure] ?? [];
    const filled = values.filter((value) => value > 0);
    const mean = filled.reduce((sum, value) => sum + value, 0) / (filled.length || 1);
    const swatches = [...loads.querySelectorAll(".swatch")].map((swatch) => getComputedStyle(swatch).backgroundColor);
    const context = canvas.getContext("2d");
    values.forEach((value, slot) => {
      const load = LOADS.findIndex(([, upTo]) => value <= upTo * mean);
      if (context !== null) {
        context.fillStyle = swatches[load] ?? "";
        context.fillRect(slot % SLOTS_A_ROW, Math.floor(slot / SLOTS_A_ROW), 1, 1);
      }
    });
  }

  canvas.addEventListener("mousemove", (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - left) / width) * SLOTS_A_ROW);
    const slot = Math.floor(((event.clientY - top) / height) * ROWS) * SLOTS_A_ROW + column;
    if (slot in slots.memory) {
      found.textContent = `slot ${slot}: ${bytes(slots.memory[slot])} of memory, ${count(slots.keys[slot])} keys`;
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  onChosen(draw);
  draw();
}
