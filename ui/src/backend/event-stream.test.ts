import { expect, test } from "vitest";
import { EventStreamReader } from "./event-stream";

test("an event comes out whole, however the network cut it", () => {
  const text = 'event: status\ndata: {"a":\ndata: 1}\n\n: still here\n\nevent: problem\r\ndata:x\r\n\r\n';
  for (let cut = 0; cut <= text.length; cut++) {
    const reader = new EventStreamReader();
    const events = [...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))];
    expect(events).toEqual([
      { name: "status", data: '{"a":\n1}' },
      { name: "problem", data: "x" },
    ]);
  }
});

test("a sign of life is no event", () => {
  expect(new EventStreamReader().push(":\n\n:\n\n")).toEqual([]);
});
