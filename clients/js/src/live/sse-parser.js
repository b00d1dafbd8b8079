/** @module Server-sent events (WHATWG HTML, 9.2), in whatever pieces they come. */

export class SseParser {
  #rest = "";
  #data = [];
  #afterReturn = false;
  #isFirst = true;

  /**
   * The data of each event. Names and ids are not told: here each frame says what it is, and where.
   * @param {string} text
   * @returns {Generator<string>}
   */
  *push(text) {
    // A return and a newline are one end of a line, also in two pieces.
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    if (text === "") return;
    if (this.#isFirst && text.startsWith("\uFEFF")) text = text.slice(1);
    this.#isFirst = false;
    this.#afterReturn = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length) yield this.#data.join("\n");
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  }
}
