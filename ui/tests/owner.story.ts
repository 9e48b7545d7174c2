import { readFileSync } from "node:fs";
import type { Locator } from "playwright-core";
import { expect } from "vitest";
import { spokenUsd, steadyUsd } from "../src/format";
import { shortName } from "../src/names";
import type { Owner } from "./browser";
import { until } from "./programs";
import { stories } from "./story";
import { given, speak } from "./texts";
import type { World } from "./world";

const SOON_MS = 30_000;
/** The job takes a fifth of this where nothing else runs. */
const JOB_WITHIN_MS = 110_000;
const HOUR_MS = 3_600_000;

const PAGES = [
  ["Home", "home"],
  ["Why not?", "why"],
  ["Jobs", "jobs"],
  ["Wallet", "wallet"],
  ["Rigs", "rigs"],
  ["Settings", "settings"],
] as const;

let world: World;
let owner: Owner;
let link: string;

const story = stories((stage) => {
  ({ world, owner, link } = stage);
  return Promise.resolve();
});

async function reaches(progress: Locator, permille: number): Promise<true | undefined> {
  return Number(await progress.getAttribute("value")) >= permille ? true : undefined;
}

story("before the agent runs, every page says so and how to start it", async () => {
  await owner.page.goto(link);
  await owner.reads(/^The agent is not running\.$/);
  await owner.page.getByText("sublet run").waitFor();
  expect(owner.page.url()).not.toContain("token");
  expect(await owner.picture("home-without-agent")).toEqual([]);
  for (const [page, name] of PAGES.slice(1)) {
    await owner.goTo(page);
    await owner.page.getByRole("alert").getByText("The agent is not running.").waitFor();
    expect(await owner.picture(`${name}-without-agent`)).toEqual([]);
  }
  await owner.goTo("Home");
});

story("home finds the agent by itself, and says that its GPU must be measured", async () => {
  await world.startAgent();
  await owner.reads(/^Needs you\..*has no benchmark/);
  await owner.page.getByText("http://127.0.0.1").waitFor();
  expect(await owner.picture("home-first")).toEqual([]);
  for (const [page, sentence] of [
    ["Jobs", /^No jobs yet\.$/],
    ["Wallet", /^Nothing earned yet\.$/],
  ] as const) {
    await owner.goTo(page);
    await owner.reads(sentence);
    expect(await owner.picture(`${page.toLowerCase()}-empty`)).toEqual([]);
  }
  await owner.goTo("Home");
});

story("every reason stands on a page of its own, opened from home, with what would change it", async () => {
  await owner.page.getByRole("link", { name: "All reasons" }).click();
  await owner.reads(/^One thing keeps your GPU from renting\.$/);
  const [gpu] = (await world.status()).gpus;
  const name = gpu?.info.name ?? "";
  for (const { text, remedy } of gpu?.reasons ?? []) {
    await owner.page.getByText(text.replace(name, shortName(name)), { exact: true }).waitFor();
    await owner.page.getByText(remedy.replaceAll("`", ""), { exact: true }).waitFor();
  }
  expect(await owner.picture("why-first")).toEqual([]);
  // From their figures, so nothing of it is left in the agent's English.
  await speak(owner.page, "de");
  await owner.reads(/^Ein Grund spricht gerade gegen das Vermieten\.$/);
  const english = await given(owner.page);
  await speak(owner.page, undefined);
  await owner.goTo("Home");
  expect(english).toEqual([]);
});

story("the benchmark starts from the page, shows how far it is, and the GPU is ready to rent", async () => {
  await owner.press("Run the benchmark");
  await owner.reads(/^Measuring your GPU\.$/);
  const progress = owner.page.getByRole("progressbar", { name: "Progress of the benchmark" });
  await until("a fifth of the benchmark", SOON_MS, () => reaches(progress, 200));
  expect(await owner.picture("home-benchmark")).toEqual([]);
  await owner.reads(/^Ready to rent/);
  expect((await world.status()).state).toBe("ready");
  expect(await owner.picture("home-ready")).toEqual([]);
});

story("pausing and resuming from the page is what the command line sees", async () => {
  await owner.press("Pause for 1 hour");
  await owner.reads(/^Yours\. You paused renting\.$/);
  const { pause, state } = await world.status();
  expect(state).toBe("yours");
  expect(Math.abs((pause?.until_ms ?? 0) - Date.now() - HOUR_MS)).toBeLessThan(60_000);
  expect(await owner.picture("home-paused")).toEqual([]);
  await owner.goTo("Why not?");
  await owner.page.getByText("You paused renting.").waitFor();
  expect(await owner.picture("why-paused")).toEqual([]);
  await owner.press("Resume renting");
  await owner.reads(/^Nothing keeps your GPU from renting\.$/);
  expect(await owner.picture("why-ready")).toEqual([]);
  await owner.goTo("Home");
  await owner.reads(/^Ready to rent/);
  expect((await world.status()).pause ?? null).toBeNull();
});

story("a pause ends with the day, or when its owner says so", async () => {
  const midnight = new Date();
  midnight.setHours(24, 0, 0, 0);
  await owner.press("Until tomorrow");
  await owner.reads(/^Yours\. You paused renting\.$/);
  expect((await world.status()).pause?.until_ms).toBe(midnight.getTime());
  await owner.press("Resume renting");
  await owner.press("Until I resume");
  await owner.reads(/^Yours\. You paused renting\.$/);
  expect((await world.status()).pause).toEqual({ until_ms: null });
  await owner.press("Resume renting");
  await owner.reads(/^Ready to rent/);
});

story("the language is the browser's until another one is chosen, and the choice is kept", async () => {
  await owner.page.getByLabel("Language").selectOption("Deutsch");
  await owner.reads(/ist bereit zum Vermieten\./);
  await owner.page.reload();
  await owner.reads(/ist bereit zum Vermieten\./);
  expect(await owner.page.getAttribute("html", "lang")).toBe("de");
  await owner.page.getByLabel("Sprache").selectOption("简体中文");
  await owner.reads(/随时可以出租。/);
  await owner.page.getByLabel("语言").selectOption("");
  await owner.reads(/^Ready to rent/);
});

story("a job that runs is on the page with its progress, and pausing asks before it is lost", async () => {
  await world.submit("evening", 100);
  await owner.reads(/^Renting/);
  const progress = owner.page.getByRole("progressbar", { name: "Progress of evening" });
  await until("a third of the job", JOB_WITHIN_MS, () => reaches(progress, 333));
  await owner.page.getByText("no network").waitFor();
  expect(await owner.picture("home-renting")).toEqual([]);

  await owner.press("Pause for 1 hour");
  await owner.page.getByText("Pausing ends evening now.").waitFor();
  expect(await owner.picture("home-pause-question")).toEqual([]);
  await owner.press("Keep renting");
  const { state, pause } = await world.status();
  expect([state, pause ?? null]).toEqual(["renting", null]);

  await owner.goTo("Jobs");
  await owner.reads(/^One job, and it is under way\.$/);
  await owner.press(/^evening Running/);
  await owner.page.getByRole("region", { name: "The end of its output" }).waitFor();
});

story("a job that ended is in the list with its ending, its digest and its output", async () => {
  await owner.reads(/^One job so far\.$/, JOB_WITHIN_MS);
  await owner.page.getByRole("button", { name: /^evening (Finished|Paid)/ }).waitFor();
  await owner.page.getByText(/@sha256:[0-9a-f]{64}/).waitFor();
  await owner.page.getByRole("definition").filter({ hasText: "/out/picture.png" }).waitFor();
  const log = owner.page.getByRole("region", { name: "The end of its output" });
  expect((await log.innerText()).trim()).not.toBe("");
  expect(await owner.picture("jobs")).toEqual([]);
});

story("the wallet shows the earning, opens it to its voucher, and agrees with the command line", async () => {
  const wallet = await until("a proven wallet", SOON_MS, async () => {
    const now = await world.wallet();
    return now.net > 0 && now.unproven === 0 ? now : undefined;
  });
  await owner.goTo("Wallet");
  await owner.reads(new RegExp(`^You have earned \\${spokenUsd(wallet.net)}\\. A voucher proves all of it\\.$`));
  for (const row of ["Today", "This week", "This month", "All"]) {
    const figures = await owner.page.getByRole("row", { name: row }).getByRole("cell").allInnerTexts();
    const net = steadyUsd(wallet.gross - wallet.fee);
    expect(figures.slice(0, 3)).toEqual([steadyUsd(wallet.gross), `−${steadyUsd(wallet.fee)}`, net]);
  }
  await owner.press(/^evening Proven/);
  await owner.page.getByText(wallet.voucher?.signature ?? "no voucher").waitFor();
  expect(await owner.picture("wallet")).toEqual([]);

  const download = owner.page.waitForEvent("download");
  await owner.press("Export as CSV");
  const file = await download;
  expect(file.suggestedFilename()).toBe("sublet-earnings.csv");
  expect(readFileSync(await file.path(), "utf8")).toBe(await world.walletCsv());
});

story("an agent that is killed is said to be away, what was known stays, and it comes back by itself", async () => {
  await owner.goTo("Home");
  const earned = steadyUsd((await world.status()).today);
  await owner.reads(/^Ready to rent/);
  await world.killAgent();
  await owner.reads(/^The agent is not running\.$/);
  await owner.page.getByText(/^What you see is from \d\d:\d\d\.$/).waitFor();
  await owner.page.getByText(earned, { exact: true }).waitFor();
  expect(await owner.picture("home-agent-away")).toEqual([]);
  await world.startAgent();
  await owner.reads(/^Ready to rent/);
});

story("without the link's token, a window gets nothing but the reason", async () => {
  const stranger = await owner.newWindow();
  await stranger.goto(link.replace(/#.*/, ""));
  await stranger.getByRole("heading", { name: "This link has expired." }).waitFor();
  expect(await stranger.getByText("Earned today").count()).toBe(0);
  await stranger.close();
});

story("the keyboard reaches everything, and a narrow window loses nothing", async () => {
  await owner.page.reload();
  await owner.reads(/^Ready to rent/);
  const reached: string[] = [];
  for (let step = 0; step < 10; step++) {
    await owner.page.keyboard.press("Tab");
    reached.push(await owner.page.evaluate(() => document.activeElement?.textContent?.trim() ?? ""));
  }
  expect(reached).toEqual([
    "Skip to the page",
    ...PAGES.map(([page]) => page),
    "Pause for 1 hour",
    "Until tomorrow",
    "Until I resume",
  ]);
  await owner.page.setViewportSize({ width: 360, height: 720 });
  for (const [page, name] of PAGES) {
    await owner.goTo(page);
    await owner.page.getByRole("heading", { level: 1 }).waitFor();
    expect(await owner.fits(`narrow-${name}`)).toEqual([]);
  }
});

story("at twice the size, by the screen's scale or by the letters' alone, nothing is cut off", async () => {
  for (const [size, letters] of [
    [{ width: 450, height: 300 }, "100%"],
    [{ width: 900, height: 600 }, "200%"],
  ] as const) {
    await owner.page.setViewportSize(size);
    await owner.page.evaluate((percent) => document.documentElement.style.setProperty("font-size", percent), letters);
    for (const [page, name] of PAGES) {
      await owner.goTo(page);
      await owner.page.getByRole("heading", { level: 1 }).waitFor();
      expect(await owner.fits(`twice-${name}-${letters.slice(0, 3)}`)).toEqual([]);
    }
  }
});
