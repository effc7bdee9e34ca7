// Sorts and filters the tables of a report. Without it the page says the same, in one order.
"use strict";

(() => {
  const MISSING = ["", "–"];
  const tables = [...document.querySelectorAll("table.data")];
  const bodies = tables.map((table) => table.tBodies[0]);
  const original = new Map(bodies.map((body) => [body, [...body.rows]]));
  const all = bodies.flatMap((body) => [...body.rows]);
  const field = document.getElementById("filter");
  const status = document.getElementById("status");

  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    const text = cell.textContent.trim();
    return MISSING.includes(text) ? null : text;
  };

  // What was not measured, or has a word in the place of a number, stands last in both directions.
  const compare = (column, direction) => (one, other) => {
    const [a, b] = [key(one, column), key(other, column)];
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return (typeof a === "string") - (typeof b === "string");
    if (typeof a === "number") return direction * (a - b);
    return direction * String(a).localeCompare(String(b), "en", { numeric: true });
  };

  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  const sort = (header) => {
    const table = header.closest("table");
    const next = NEXT[header.getAttribute("aria-sort") ?? "none"];
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    const rows = [...original.get(table.tBodies[0])];
    if (next !== "none") {
      header.setAttribute("aria-sort", next);
      rows.sort(compare(header.cellIndex, next === "ascending" ? 1 : -1));
    }
    table.tBodies[0].append(...rows);
    const name = header.textContent.trim();
    status.value = next === "none" ? "In the order of the run." : `Sorted by ${name}, ${next}.`;
  };

  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of all) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = all.filter((row) => !row.hidden).length;
    status.value = words.length ? `${shown} of ${all.length} rows.` : "";
  };

  for (const header of tables.flatMap((table) => [...table.tHead.rows[0].cells])) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(header));
  }
  field.addEventListener("input", filter);
  if (all.length) document.querySelector(".filter").hidden = false;
  if (field.value) filter(); // a browser may bring back what was typed before
})();
