// A field for text of the request: wrong parts underlined in their place, words completed as somebody writes.

import { h, write } from "./dom.js";

const MOST_OPTIONS = 60;
let made = 0;

/** The field `element`: `value`, and `show(problems)` with their places. Told of changes by `onChange`, of Enter by `onEnter`. */
export class Field {
  #mirror;
  #list;
  #slot;
  #options = [];
  #chosen = -1;
  #problems = [];
  #wishes;

  constructor(wishes) {
    this.#wishes = wishes;
    const id = `field-${(made += 1)}`;
    this.#mirror = h("div", { class: "mirror mono", "aria-hidden": "true", text: " " });
    this.area = h("textarea", {
      id, class: "mono", rows: 1, spellcheck: "false", autocapitalize: "off", autocomplete: "off", placeholder: wishes.placeholder,
      "aria-describedby": `${id}-slot`, "aria-label": wishes.name,
      oninput: () => this.#changed(), onkeydown: (event) => this.#key(event), onblur: () => this.#close(),
    });
    this.#list = h("ul", { id: `${id}-list`, role: "listbox", class: "options", "aria-label": "Completions", hidden: true });
    this.#slot = h("p", { id: `${id}-slot`, class: "slot", text: wishes.hint ?? "" });
    if (wishes.completions) {
      for (const [name, value] of [["autocomplete", "list"], ["controls", `${id}-list`], ["haspopup", "listbox"]]) this.area.setAttribute(`aria-${name}`, value);
    }
    const label = wishes.label ? h("label", { for: id, text: wishes.label }) : null;
    this.edit = h("div", { class: "edit" }, this.#mirror, this.area, this.#list);
    this.element = h("div", { class: "field" }, label, this.edit, this.#slot);
    this.slot = this.#slot;
  }

  get value() {
    return this.area.value.trim();
  }

  set value(text) {
    this.area.value = text;
    this.show([]);
  }

  /** Whether a problem is about what stands here. */
  holds({ text }) {
    return this.value !== "" && this.area.value.includes(text);
  }

  /** Underlines spans in the copy of the text that lies under the field, and says what they are about. */
  show(problems = this.#problems) {
    this.#problems = problems;
    const text = this.area.value;
    // A word that is still being written, with its completions beside it, is not wrong yet.
    const placed = problems.map((problem) => ({ ...problem, at: Math.max(0, text.indexOf(problem.text)) }));
    const shown = placed.filter(({ at, end }) => this.#list.hidden || at + end !== this.area.selectionStart);
    const parts = [];
    let done = 0;
    for (const { at, start, end } of shown.toSorted((one, other) => one.start - other.start)) {
      const from = Math.max(done, at + start);
      const to = Math.max(at + end, from);
      parts.push(text.slice(done, from), h("mark", { text: text.slice(from, to) || " " }));
      done = to;
    }
    // The blank at the end keeps the last line's height.
    this.#mirror.replaceChildren(...parts, `${text.slice(done)} `);
    this.area.setAttribute("aria-invalid", String(shown.length > 0));
    this.#slot.classList.toggle("bad", shown.length > 0);
    const told = shown.map(({ message, help }) => (help ? `${message}; ${help}` : message)).join("\n");
    write(this.#slot, told || (this.#wishes.hint ?? ""));
  }

  #changed() {
    if (!this.#wishes.lines && /[\r\n]/.test(this.area.value)) this.area.value = this.area.value.replace(/[\r\n]+/g, "");
    this.#open();
    this.show([]);
    this.#wishes.onChange();
  }

  #open() {
    const { completions } = this.#wishes;
    if (!completions) return;
    const { from, words } = completions(this.area.value, this.area.selectionStart);
    this.#options = words.slice(0, MOST_OPTIONS).map((word, index) => ({
      ...word, from,
      element: h("li", { id: `${this.#list.id}-${index}`, role: "option", "aria-selected": "false", onpointerdown: (event) => {
        event.preventDefault();
        this.#accept(index);
      } }, h("span", { text: word.word }), h("span", { class: "told", text: word.told })),
    }));
    this.#list.replaceChildren(...this.#options.map(({ element }) => element));
    this.#list.hidden = this.#options.length === 0;
    this.#choose(-1);
  }

  #close() {
    if (this.#list.hidden) return;
    this.#list.hidden = true;
    this.#choose(-1);
    this.show();
  }

  #choose(index) {
    this.#options[this.#chosen]?.element.setAttribute("aria-selected", "false");
    this.#chosen = index;
    const option = this.#options[index]?.element;
    if (!option) return this.area.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.area.setAttribute("aria-activedescendant", option.id);
  }

  #accept(index) {
    const { from, insert } = this.#options[index];
    this.area.setRangeText(insert, from, this.area.selectionStart, "end");
    this.#changed();
  }

  #key(event) {
    const isOpen = !this.#list.hidden;
    const hasChosen = isOpen && this.#chosen >= 0;
    const take = () => {
      event.preventDefault();
      this.#accept(this.#chosen);
    };
    if (event.key === "ArrowDown" || event.key === "ArrowUp") this.#arrow(event, isOpen);
    else if (event.key === "Escape" && isOpen) this.#close();
    else if (event.key === "Tab" && hasChosen) take();
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      if (hasChosen) take();
      else if (!this.#wishes.lines) {
        event.preventDefault();
        this.#wishes.onEnter?.();
      }
    }
  }

  #arrow(event, isOpen) {
    const down = event.key === "ArrowDown";
    if (!this.#wishes.completions || (!isOpen && !down)) return;
    if (!isOpen) this.#open();
    const size = this.#options.length;
    if (size === 0) return;
    event.preventDefault();
    this.#choose((this.#chosen + (down ? 1 : this.#chosen < 0 ? size : size - 1)) % size);
  }
}
