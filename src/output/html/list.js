// A list that can be sorted, filtered and downloaded, and that says what is left of it.

/**
 * @template R
 * @typedef {object} Column
 * @property {string} id
 * @property {string} title
 * @property {boolean} [isText] whether it is sorted as text, smallest first
 * @property {(row: R) => string | number | null} value by which it is sorted and which is downloaded
 * @property {(row: R) => Node | string} show
 */

/**
 * @template R
 * @typedef {object} ListPlan
 * @property {string} id of the section, and what its choices begin with
 * @property {string} caption
 * @property {string} things what the rows are called
 * @property {R[]} rows
 * @property {Column<R>[]} columns
 * @property {string} sortedBy at first: a column, after a minus sign if the largest comes first
 * @property {(row: R) => Name} nameOf
 * @property {(rows: R[]) => string} sumOf what rows take together, after how many they are
 * @property {{title: string, id: string, read: (row: R) => string}[]} choices what rows can be chosen by
 * @property {{title: string, id: string, is: (row: R) => boolean}} [only] what rows can be narrowed to
 * @property {(row: R) => [string, () => void][]} acts buttons of a row
 * @property {[string, (row: R) => string | number | null][]} more columns that are only downloaded
 */

const ROWS_AT_FIRST = 25;

/**
 * @template R
 * @param {HTMLElement} section
 * @param {ListPlan<R>} plan
 */
function makeList(section, plan) {
  const byDefault = plan.sortedBy;
  const key = (/** @type {string} */ of) => `${plan.id}.${of}`;
  let shown = ROWS_AT_FIRST;

  const search = element("input", { type: "search", name: "q", autocomplete: "off", spellcheck: "false" });
  const tools = element("div", { class: "tools" }, element("label", {}, "Name contains ", search));
  const filters = plan.choices.flatMap(({ title, id, read }) => {
    const values = [...new Set(plan.rows.map(read))].sort();
    if (values.length < 2) {
      return [];
    }
    const made = choice(title, [["", "all"], ...values.map((value) => /** @type {[string, string]} */ ([value, value]))],
      (value) => change(id, value));
    tools.append(made.label);
    return [{ select: made.select, read, of: id }];
  });
  const { only } = plan;
  const narrow = element("input", { type: "checkbox", name: only?.id ?? "" });
  const sum = element("p", { class: "sum", role: "status" });
  const head = element("tr", {});
  const body = element("tbody", {});
  const more = element("div", { class: "acts" });
  tools.append(
    ...(only === undefined ? [] : [element("label", {}, narrow, ` ${only.title}`)]),
    button("Download CSV", () => download(`${plan.id}.csv`, csv())),
  );
  section.append(
    tools, sum,
    element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": plan.caption },
      element("table", { class: "list" }, element("caption", { class: "offscreen" }, plan.caption),
        element("thead", {}, head), body)),
    more,
  );

  /** @param {string} of @param {string} value @param {string} usual */
  function change(of, value, usual = "") {
    choose(key(of), value, usual);
    shown = ROWS_AT_FIRST;
    draw();
  }

  search.addEventListener("input", () => change("q", search.value));
  narrow.addEventListener("change", () => change(only?.id ?? "", narrow.checked ? "1" : ""));

  /** The rows that pass, in their order. */
  function left() {
    const wanted = (chosen.get(key("q")) ?? "").toLowerCase();
    const sort = chosen.get(key("sort")) ?? byDefault;
    const column = plan.columns.find(({ id }) => id === sort.replace(/^-/, "")) ?? plan.columns[0];
    const sign = sort.startsWith("-") ? -1 : 1;
    const rows = plan.rows.filter((row) => (
      (wanted === "" || plan.nameOf(row).text.toLowerCase().includes(wanted) || visible(plan.nameOf(row).text).toLowerCase().includes(wanted))
      && filters.every(({ read, of }) => [undefined, "", read(row)].includes(chosen.get(key(of))))
      && (only === undefined || chosen.get(key(only.id)) !== "1" || only.is(row))
    ));
    const order = (/** @type {R} */ row) => column.value(row) ?? (column.isText ? "" : -1);
    return rows.sort((a, b) => {
      const [first, second] = [order(a), order(b)];
      return first === second ? 0 : first < second ? -sign : sign;
    });
  }

  function csv() {
    const columns = [...plan.columns.map(({ id, value }) => /** @type {const} */ ([id, value])), ...plan.more];
    const line = (/** @type {(string | number | null)[]} */ cells) => (
      cells.map((cell) => csvCell(cell === null ? "" : String(cell))).join(",")
    );
    const lines = left().map((row) => line(columns.map(([, value]) => value(row))));
    return [line(columns.map(([id]) => id)), ...lines, ""].join("\r\n");
  }

  function drawHead() {
    const sort = chosen.get(key("sort")) ?? byDefault;
    head.replaceChildren(...plan.columns.map(({ id, title, isText }) => {
      const isSorted = sort.replace(/^-/, "") === id;
      const falls = sort.startsWith("-");
      const next = isSorted ? (falls ? id : `-${id}`) : isText ? id : `-${id}`;
      const cell = element("th", { scope: "col", class: isText ? "" : "number" },
        button(title, () => {
          change("sort", next, byDefault);
          /** @type {HTMLElement | null} */ (head.querySelector(`[data-column="${id}"]`))?.focus();
        }, { "data-column": id }));
      if (isSorted) {
        cell.setAttribute("aria-sort", falls ? "descending" : "ascending");
      }
      return cell;
    }), element("th", { scope: "col" }, element("span", { class: "offscreen" }, "Copy")));
  }

  /** @param {R} row */
  function rowNode(row) {
    const cells = plan.columns.map(({ show, isText }, at) => element(at === 0 ? "th" : "td",
      at === 0 ? { scope: "row", class: "named" } : { class: isText ? "" : "number" }, show(row)));
    const about = visible(plan.nameOf(row).text.slice(0, 80));
    const acts = plan.acts(row).map(([label, act]) => button(label, act, { "aria-label": `Copy ${label} of ${about}` }));
    return element("tr", {}, ...cells, element("td", { class: "acts" }, ...acts));
  }

  function draw() {
    search.value = chosen.get(key("q")) ?? "";
    narrow.checked = only !== undefined && chosen.get(key(only.id)) === "1";
    for (const { select, of } of filters) {
      select.value = chosen.get(key(of)) ?? "";
    }
    const rows = left();
    const of = rows.length === plan.rows.length ? "" : ` of ${count(plan.rows.length)}`;
    sum.textContent = `${count(rows.length)}${of} ${plan.things}${plan.sumOf(rows)}`;
    drawHead();
    body.replaceChildren(...rows.slice(0, shown).map(rowNode));
    const rest = rows.length - shown;
    const next = Math.min(rest, 200);
    more.replaceChildren(...(rest > 0 ? [button(`Show ${count(next)} more of ${count(rest)}`, () => {
      shown += next;
      draw();
    })] : []));
  }

  onChosen(draw);
  section.hidden = false;
  draw();
  return { filter: (/** @type {string} */ text) => change("q", text) };
}
