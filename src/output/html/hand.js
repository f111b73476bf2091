// What the page makes and hands out: elements, text for the clipboard, files.

/**
 * An element of the page. Text is only ever added as text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/**
 * @param {string} label
 * @param {() => void} act
 * @param {Record<string, string>} attributes
 */
function button(label, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

/**
 * A choice of a few; `options` are values with what they are called.
 * @param {string} label
 * @param {[string, string][]} options
 * @param {(value: string) => void} act
 */
function choice(label, options, act) {
  const select = element("select", { name: label.toLowerCase() });
  for (const [value, title] of options) {
    select.append(element("option", { value }, title));
  }
  select.addEventListener("change", () => act(select.value));
  return { select, label: element("label", {}, `${label} `, select) };
}

/** @param {string} id */
function place(id) {
  const found = document.getElementById(id);
  if (found === null) {
    throw new Error(`the page has no ${id}`);
  }
  return found;
}

/** @param {string} sentence */
function say(sentence) {
  place("said").textContent = sentence;
}

/**
 * @param {string} what
 * @param {string} text
 */
async function copy(what, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page that was opened from a server without TLS has no clipboard but the old one.
    const field = element("textarea", { "aria-hidden": "true", class: "offscreen" });
    field.value = text;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (!isCopied) {
      say("The browser does not let this page copy.");
      return;
    }
  }
  say(`${what} copied: ${visible(text.length > 120 ? `${text.slice(0, 120)}…` : text)}`);
}

/**
 * @param {string} fileName
 * @param {string} text
 */
function download(fileName, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = element("a", { href: url, download: fileName });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  say(`${fileName} written.`);
}
