// Makes elements. Words of other people only ever go in as text.
export function make(tag, props = {}, ...inside) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...inside);
  return node;
}

export const by = (id) => document.getElementById(id);
