// Making elements. Text only ever becomes text: nothing that a server said is read as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children (elements or text); null attributes and children are left out. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for parts of a drawing. */
export function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Puts `children` in place of what `parent` holds, unless it is the same text and markup already. */
export function show(parent, ...children) {
  const fresh = document.createElement(parent.localName);
  fresh.append(...children.filter((child) => child !== null));
  if (fresh.innerHTML !== parent.innerHTML) parent.replaceChildren(...fresh.childNodes);
}

/** Sets a text where it differs, so that a screen reader is not told what it knows. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A table of `rows`: lists of cells, each a text or an element; `columns` are {title, kind}. */
export function table(caption, columns, rows) {
  const head = columns.map((column) => element("th", { scope: "col", class: column.kind ?? null }, column.title));
  const body = rows.map((cells) =>
    element("tr", {}, ...cells.map((cell, at) => element("td", { "data-label": columns[at].label ?? null, class: columns[at].kind ?? null }, cell))),
  );
  return element(
    "table", {},
    element("caption", { class: "unseen" }, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body),
  );
}

/** A word with the colour of its meaning: good, warn, bad or none. */
export function state(word, tone) {
  return element("span", { class: "state", "data-tone": tone }, word);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}
