import { expect, test } from "vitest";
import type { LeaseView } from "./backend/types";
import { changeKey, markOf, withLive } from "./jobs";

function lease(id: string, more: Partial<LeaseView> = {}): LeaseView {
  return {
    lease: id,
    job: `job-${id}`,
    name: id,
    image: "room@sha256:0",
    gpus: [],
    state: "running",
    price: 0,
    used_ms: 0,
    earned: 0,
    granted_at_ms: 0,
    may_reach: [],
    ...more,
  };
}

test("the live view's figures replace the list's, and a new lease leads the list", () => {
  const listed = [lease("b", { used_ms: 1 }), lease("a", { state: "settled" })];
  const current = [lease("c"), lease("b", { used_ms: 9 })];
  const merged = withLive(listed, current);
  expect(merged.map(({ lease, used_ms }) => [lease, used_ms])).toEqual([["c", 0], ["b", 9], ["a", 0]]);
  expect(changeKey(current)).not.toBe(changeKey([lease("c", { state: "uploading" }), lease("b")]));
});

test("a lease that ended badly is never marked as done", () => {
  const ending = { code: "reclaimed", message: "", outputs: [] } as const;
  expect(markOf(lease("a", { state: "settled", ending }))).toBe("undone");
  expect(markOf(lease("a", { state: "settled", ending: { ...ending, code: "completed" } }))).toBe("done");
  expect(markOf(lease("a", { state: "pulling" }))).toBe("waiting");
});
