import { existsSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Owner } from "./browser";
import { stories } from "./story";
import { given, speak } from "./texts";
import type { World } from "./world";

/** The benchmark measures on a busy machine. */
const MEASURED_WITHIN_MS = 60_000;

let world: World;
let owner: Owner;

const story = stories(async (stage) => {
  ({ world, owner } = stage);
  await world.startAgent([]);
  await owner.page.goto(stage.link);
});

/** Nothing rents before the last step. */
async function nothingRents(): Promise<void> {
  const { set_up, state } = await world.status();
  expect([set_up, state, existsSync(world.settingsFile)]).toEqual([false, "needs_you", false]);
}

story("an owner who has chosen nothing is shown what was found, and nothing rents", async () => {
  await owner.reads(/^Found your /);
  await owner.page.getByText("Nothing rents before the last step.").waitFor();
  expect(await owner.page.getByRole("navigation").count()).toBe(0);
  const found = owner.page.getByRole("region", { name: "What was found" });
  for (const check of ["Docker", "Marketplace", "Ledger"]) {
    // By its name: others' sentences speak of it too.
    const line = found.getByRole("listitem").filter({ has: owner.page.getByText(check, { exact: true }) });
    await line.getByText("In order").waitFor({ state: "attached" });
  }
  await found.getByRole("listitem").filter({ hasText: "Graphics adapters" }).getByText("--allow-software-gpu").waitFor();
  expect(await owner.picture("first-run-found")).toEqual([]);
  await speak(owner.page, "de");
  const english = await given(owner.page);
  await speak(owner.page, undefined);
  expect(english).toEqual([]);
  await nothingRents();
});

story("the benchmark shows how far it is, and its score", async () => {
  await owner.press(/^Go on/);
  await owner.reads(/^How fast is your /);
  expect(await owner.picture("first-run-measure")).toEqual([]);
  await owner.press("Measure");
  await owner.reads(/^Measuring your GPU\.$/);
  await owner.page.getByRole("progressbar", { name: "Progress of the benchmark" }).waitFor();
  await owner.reads(/^Your .* scores \d/, MEASURED_WITHIN_MS);
  expect(await owner.picture("first-run-measured")).toEqual([]);
  await nothingRents();
});

story("each rule is one sentence, with the hours and the money that it means, electricity taken off", async () => {
  await owner.press("Go on");
  await owner.reads(/^When may your GPU rent\?$/);
  const rules = owner.page.getByRole("group", { name: "Rules for renting" });
  for (const rule of ["Gaming PC", "Workstation", "Rig for renting", "Laptop"]) {
    const words = rules.locator("label").filter({ hasText: rule });
    await words.getByText(/^\$[\d.]+( to \$[\d.]+)? a week$/).waitFor();
    await words.getByText(/ h free to rent$/).waitFor();
  }
  await rules.getByText("after the fee; electricity has no price yet").first().waitFor();
  await owner.page.getByLabel("What a kilowatt-hour costs you").fill("much");
  await owner.page.getByText("Write an amount such as 0.30").waitFor();
  expect(await owner.page.getByRole("button", { name: "Go on" }).isDisabled()).toBe(true);
  await owner.page.getByLabel("What a kilowatt-hour costs you").fill("0,30");
  await owner.page.getByText("electricity has no price yet").first().waitFor({ state: "detached" });
  await rules.getByRole("radio", { name: "Rig for renting" }).check();
  await owner.page.getByText("What these figures rest on").click();
  expect(await owner.picture("first-run-when")).toEqual([]);
  await nothingRents();
});

story("where earnings go is told honestly, and only the last button rents", async () => {
  await owner.press("Go on");
  await owner.reads(/^Your earnings go into the wallet of this rig\.$/);
  await owner.page.getByText("Paying out is not possible yet.").waitFor();
  await owner.page.getByText(/^0x[0-9a-f]{40}$/).waitFor();
  expect(await owner.picture("first-run-where")).toEqual([]);
  await nothingRents();
  await owner.press("Back");
  expect(await owner.page.getByRole("radio", { name: "Rig for renting" }).isChecked()).toBe(true);
  await owner.press("Go on");
  await owner.press("Start renting");
  await owner.page.getByRole("navigation").waitFor();
  const file = readFileSync(world.settingsFile, "utf8");
  expect(file).toContain('mode = "always"');
  expect(file).toContain('electricity = "0.30"');
  expect((await world.status()).set_up).toBe(true);
});

story("an agent that goes away in the midst of it is said to be away", async () => {
  await world.killAgent();
  await owner.reads(/^The agent is not running\.$/);
});
