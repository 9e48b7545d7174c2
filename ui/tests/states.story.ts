import type { Page, Route } from "playwright-core";
import { expect } from "vitest";
import type { Owner } from "./browser";
import { stories } from "./story";
import { speak } from "./texts";
import type { World } from "./world";

const PAGES = ["home", "why", "jobs", "wallet", "rigs", "settings"] as const;

let world: World;
let owner: Owner;
let link: string;

const story = stories(async (stage) => {
  ({ world, owner, link } = stage);
  await world.startAgent();
});

/** The real dashboard; what the agent says on these paths is held back or replaced. */
async function visit(path: string, held: (route: Route) => Promise<unknown>, page: string): Promise<void> {
  await owner.page.unrouteAll({ behavior: "ignoreErrors" });
  await owner.page.route(path, held);
  await owner.page.goto("about:blank");
  await owner.page.goto(link);
  await owner.page.goto(`${new URL(link).origin}/#/${page}`);
}

story("while the agent has not answered, every page says that it is asked", async () => {
  for (const page of PAGES) {
    await visit("**/local/v1/**", () => Promise.resolve(), page);
    await owner.reads(/^Asking the agent…$/);
    expect(await owner.picture(`${page}-loading`)).toEqual([]);
  }
});

story("an answer that is an error is told in the agent's words, with a way to try again", async () => {
  const detail = "The ledger could not be read: disk I/O error.";
  const problem = { type: "urn:sublet:problem:internal", status: 500, code: "internal", title: "It failed.", detail };
  const refuse = (route: Route) =>
    route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify(problem) });
  for (const [page, sentence] of [
    ["jobs", /^No jobs yet\.$/],
    ["wallet", /^Nothing earned yet\.$/],
    ["settings", /^Rents always/],
  ] as const) {
    await visit(`**/local/v1/${page}`, refuse, page);
    const notice = owner.page.getByRole("alert");
    await notice.getByText(detail).waitFor();
    expect(await owner.picture(`${page}-error`)).toEqual([]);
    await owner.page.unrouteAll({ behavior: "ignoreErrors" });
    await notice.getByRole("button", { name: "Try again" }).click();
    await owner.reads(sentence);
  }
});

story("a job that was ended for its owner says why, in the page's language", async () => {
  const ending = { code: "reclaimed", exit_code: null, message: "The owner took the GPU back.", outputs: [] };
  const reason = {
    code: "program_runs",
    text: "Factorio runs.",
    remedy: "Rents again when it closes.",
    figures: { program: "Factorio", kind: "game", more: 0, after_ms: 0 },
  };
  const lease = {
    lease: "L-1",
    job: "J-1",
    name: "evening",
    image: `registry.example/evening@sha256:${"0".repeat(64)}`,
    gpus: [],
    state: "finished",
    price: 350_000,
    used_ms: 61_000,
    earned: 5_900,
    progress_permille: null,
    granted_at_ms: 1_795_260_600_000,
    ending,
    reason,
    may_reach: [],
  };
  await visit("**/local/v1/jobs", (route) => route.fulfill({ json: { leases: [lease] } }), "jobs");
  await owner.press(/^evening You took the GPU back/);
  await owner.page.getByText("Why it ended: Factorio runs.").waitFor();
  await speak(owner.page, "de");
  await owner.page.getByText("Warum er endete: Factorio läuft.").waitFor();
  await speak(owner.page, undefined);
});

story("a locale that is none does no harm", async () => {
  const window = await owner.newWindow();
  await window.addInitScript(() => {
    Object.defineProperty(navigator, "languages", { get: () => ["C"] });
    Object.defineProperty(navigator, "language", { configurable: true, get: () => "C" });
  });
  await window.goto(link);
  await window.getByRole("heading", { level: 1, name: /has no benchmark/ }).waitFor();
  await window.getByText("$0.00").waitFor();
  await window.close();
  expect(owner.faults).toEqual([]);
});

story("what moves stands still where the system asks for it", async () => {
  await visit("**/nothing", () => Promise.resolve(), "home");
  await owner.reads(/has no benchmark/);
  expect(await seconds(owner.page, "no-preference")).toBeGreaterThan(0);
  expect(await seconds(owner.page, "reduce")).toBe(0);
});

/** How long the primary button takes to change its colour. */
async function seconds(page: Page, reducedMotion: "reduce" | "no-preference"): Promise<number> {
  await page.emulateMedia({ reducedMotion });
  const duration = await page
    .getByRole("button", { name: "Run the benchmark" })
    .evaluate((button) => getComputedStyle(button).transitionDuration);
  return Number.parseFloat(duration);
}
