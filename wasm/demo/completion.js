// What could stand where the caret is. Pure: the tables of the engine in, words out.

/** Which words fit what has been written, `[word, insert, told]`; and from where they stand. */
const found = (from, written, words) => {
  const small = written.toLowerCase();
  const fitting = words.filter(({ word }) => word.toLowerCase().startsWith(small) && word !== written);
  return { from, words: fitting };
};
const plain = (names, told = "") => names.map((word) => ({ word, insert: word, told }));

/** In a comma list of types. */
export function typeCompletions(tables, text, caret) {
  const before = text.slice(0, caret);
  const from = before.length - before.slice(before.lastIndexOf(",") + 1).trimStart().length;
  return found(from, before.slice(from), plain(tables.types()));
}

/** In a filter, `Type?parameter:modifier=prefix…`. */
export function filterCompletions(tables, text, caret) {
  const before = text.slice(0, caret);
  const mark = before.indexOf("?");
  if (mark < 0) {
    const from = before.length - before.trimStart().length;
    const close = text[caret] === "?" ? "" : "?";
    return found(from, before.slice(from), tables.types().map((word) => ({ word, insert: word + close, told: "" })));
  }
  const from = Math.max(mark, before.lastIndexOf("&")) + 1;
  const parameters = tables.parameters(before.slice(0, mark).trim()).filter(({ refused }) => refused === null);
  const [, name, colon, modifier, equals, values] = /^([^:=]*)(:?)([^=]*)(=?)(.*)$/.exec(before.slice(from));
  const close = text[caret] === "=" ? "" : "=";
  if (!colon && !equals) {
    return found(from, name, parameters.map(({ code, type }) => ({ word: code, insert: code + close, told: type })));
  }
  const parameter = parameters.find(({ code }) => code === name);
  if (!parameter) return { from, words: [] };
  if (!equals) return found(from + name.length + 1, modifier, modifiers(parameter).map((word) => ({ word, insert: word + close, told: "modifier" })));
  const written = values.slice(values.lastIndexOf(",") + 1);
  return found(before.length - written.length, written, valueBeginnings(tables, parameter, modifier));
}

function modifiers({ modifiers: all, targets }) {
  return all.flatMap((modifier) => (modifier === "[Type]" ? targets : [modifier]));
}

const MEANINGS = { eq: "equal", ne: "not equal", gt: "greater", lt: "less", ge: "greater or equal", le: "less or equal", sa: "starts after", eb: "ends before", ap: "about" };

/** How a value may begin; values themselves are not known here. */
function valueBeginnings(tables, { type, prefixes, targets }, modifier) {
  if (modifier === "missing") return plain(["true", "false"]);
  if (type === "reference" && modifier === "") return plain(targets.map((target) => `${target}/`));
  if (!prefixes || type === "composite") return [];
  return tables.prefixes.map((word) => ({ word, insert: word, told: MEANINGS[word] ?? "" }));
}
