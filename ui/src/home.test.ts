import { expect, test } from "vitest";
import { primaryAction } from "./action";
import type { GpuView, LeaseView, Reason, Status } from "./backend/types";
import { leadOf } from "./lead";
import { sortReasons } from "./reasons";

const hot: Reason = { code: "too_hot", text: "The GPU is at 84 °C.", remedy: "Rents again below 76 °C." };
const unmeasured: Reason = { code: "not_benchmarked", text: "It has no benchmark.", remedy: "Run `sublet bench`." };
const away: Reason = { code: "docker_unavailable", text: "Docker does not answer.", remedy: "Start Docker." };

function gpu(id: string, reasons: Reason[]): GpuView {
  const info = { id, name: id, vendor: "nvidia", software: false } as const;
  return { info, state: "waiting", reasons, floor: 0 };
}

function status(gpus: GpuView[], more: Partial<Status> = {}): Status {
  const market = { url: "http://market.example", connected: true };
  return { sentence: "", state: "waiting", version: "1", rig: "r", market, gpus, leases: [], today: 0, ...more };
}

test("what keeps every GPU is said once, what keeps one is said at that one", () => {
  const { shared, own } = sortReasons([gpu("a", [away]), gpu("b", [hot, away])]);
  expect(shared).toEqual([away]);
  expect(own.get("a")).toEqual([]);
  expect(own.get("b")).toEqual([hot]);
});

test("the button resumes while paused, measures before the first job, and pauses otherwise", () => {
  expect(primaryAction(status([gpu("a", [unmeasured])], { pause: {} }))).toBe("resume");
  expect(primaryAction(status([gpu("a", [unmeasured])]))).toBe("bench");
  expect(primaryAction(status([gpu("a", [away, unmeasured])]))).toBe("pause");
  const busy = { leases: [{ lease: "l" } as LeaseView] };
  expect(primaryAction(status([gpu("a", []), gpu("b", [unmeasured])], busy))).toBe("pause");
});

test("the state leads, and what would change it follows in smaller words", () => {
  const waiting = status([gpu("a", [hot])], { sentence: `Waiting. ${hot.text} ${hot.remedy}` });
  expect(leadOf(waiting)).toEqual({
    sentence: ["Waiting.", { given: "The GPU is at 84 °C." }],
    notes: [{ given: "Rents again below 76 °C." }],
    reason: hot,
  });
  const free = { ...gpu("NVIDIA GeForce RTX 4090", []), state: "ready" } as const;
  const ready = status([free, gpu("b", [hot])], { state: "ready", today: 1_320_000 });
  expect(leadOf(ready).sentence).toEqual(["Ready to rent your RTX 4090.", "$1.32 so far today."]);
  const game: Reason = { code: "program_runs", text: "Factorio runs.", remedy: "Rents again.", figures: { kind: "game" } };
  const playing = status([gpu("a", [game])], { state: "yours" });
  expect(leadOf(playing).sentence).toEqual(["Yours while you play."]);
  expect(leadOf(playing).notes).toEqual([{ given: "Factorio runs." }, { given: "Rents again." }]);
});
