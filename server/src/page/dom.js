// Elements made and written. Whatever comes from data is set as text, never as markup.

/** An element. `on…` are listeners, `class` and `text` what they say, all else attributes (true, false, null as in HTML). */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Writes a text only if it is another: the screen reader and the layout are left alone otherwise. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Copies a text, and says so on the button for a moment. */
export async function copy(text, button) {
  const usual = (button.dataset.usual ??= button.textContent);
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    said = "Not allowed";
  }
  button.textContent = said;
  clearTimeout(button.timer);
  button.timer = setTimeout(() => (button.textContent = usual), 1500);
}
