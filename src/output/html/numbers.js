// Numbers for people, as the program's tables have them.

/** @param {number} number */
function count(number) {
  return number.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** @param {number} number */
function bytes(number) {
  if (number < 1024) {
    return `${number} B`;
  }
  let unit = "B";
  for (const next of ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]) {
    if (number < 1024) {
      break;
    }
    number /= 1024;
    unit = next;
  }
  return `${number < 99.95 ? number.toFixed(1) : number.toFixed(0)} ${unit}`;
}

/**
 * @param {number} part
 * @param {number} whole
 */
function share(part, whole) {
  return whole === 0 ? "-" : `${((part * 100) / whole).toFixed(1)} %`;
}

/** @param {number} atMs */
function moment(atMs) {
  const at = new Date(atMs);
  return Number.isNaN(at.getTime()) ? `${atMs} ms` : `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** @param {number} seconds */
function duration(seconds) {
  const [unit, name] = /** @type {[number, string][]} */ ([[86_400, "days"], [3600, "h"], [60, "min"]])
    .find(([least]) => seconds >= least) ?? [1, "s"];
  const whole = Math.floor(seconds / unit);
  return `${count(whole)} ${whole === 1 && name === "days" ? "day" : name}`;
}
