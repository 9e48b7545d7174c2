export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/**
 * Reads `text/event-stream` piece by piece (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 * `EventSource` would do the same, but cannot send the header that carries the token.
 */
export class EventStreamReader {
  #rest = "";
  #name = "";
  #data: string[] = [];

  /** Takes the next piece of text; returns the events that it completes. */
  push(text: string): ServerEvent[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    const events: ServerEvent[] = [];
    for (const line of lines) {
      const event = this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === "") return this.#end();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    if (field === "data") this.#data.push(value);
    return undefined;
  }

  #end(): ServerEvent | undefined {
    const event = { name: this.#name || "message", data: this.#data.join("\n") };
    const complete = this.#data.length > 0;
    this.#name = "";
    this.#data = [];
    return complete ? event : undefined;
  }
}
