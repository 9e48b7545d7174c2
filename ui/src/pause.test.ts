import { expect, test } from "vitest";
import type { LeaseView } from "./backend";
import { losing, pauseOf } from "./pause";

const noon = new Date(2026, 10, 21, 12).getTime();

test("a pause is a span, a time on the clock, or open", () => {
  expect(pauseOf("hour", undefined, noon)).toEqual({ for_ms: 3_600_000 });
  expect(pauseOf("tomorrow", "gpu-a", noon)).toEqual({ gpu: "gpu-a", until_ms: new Date(2026, 10, 22).getTime() });
  expect(pauseOf("open", "gpu-a", noon)).toEqual({ gpu: "gpu-a" });
});

test("only jobs on the GPU that is paused are lost", () => {
  const lease = (state: LeaseView["state"], gpu: string) => ({ state, gpus: [gpu] }) as unknown as LeaseView;
  const leases = [lease("running", "a"), lease("running", "b"), lease("uploading", "a"), lease("paused", "a")];
  expect(losing(leases, undefined)).toHaveLength(3);
  expect(losing(leases, "a").map(({ state }) => state)).toEqual(["running", "paused"]);
});
