import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import type { Owner } from "./browser";
import { until } from "./programs";
import { stories } from "./story";
import { speak } from "./texts";
import type { World } from "./world";

const SOON_MS = 30_000;

let world: World;
let owner: Owner;

const story = stories(async (stage) => {
  ({ world, owner } = stage);
  world.writeSettings('[rent]\nmode = "away"\n');
  await world.startAgent([]);
  await owner.page.goto(stage.link);
});

const file = () => readFileSync(world.settingsFile, "utf8");
const field = (name: string) => owner.page.getByLabel(name, { exact: true });

story("the settings say in a sentence what holds, and each one in a line what it means and what it risks", async () => {
  await owner.goTo("Settings");
  await owner.reads(/^Rents once you have been away for 5\smin, from \$0\.20 an hour\.$/);
  await owner.page.getByText("Jobs drain the battery.").waitFor();
  expect(await field("Floor price").inputValue()).toBe("0.20");
  expect(await owner.picture("settings")).toEqual([]);
});

story("a search finds settings by what they mean, in the page's language", async () => {
  await owner.page.getByLabel("Search settings").fill("battery");
  await owner.page.getByRole("status").getByText("1 setting", { exact: true }).waitFor();
  await field("Rent on battery").waitFor();
  expect(await field("Floor price").count()).toBe(0);
  await owner.page.getByLabel("Search settings").fill("no such thing");
  await owner.page.getByText("No setting fits.").waitFor();
  expect(await owner.picture("settings-found-none")).toEqual([]);
  await speak(owner.page, "de");
  await owner.page.getByLabel("Einstellungen durchsuchen").fill("akku");
  await field("Im Akkubetrieb vermieten").waitFor();
  await speak(owner.page, undefined);
  await owner.page.getByLabel("Search settings").fill("");
});

story("a rule is looked at before it is used, and is in force at once", async () => {
  await owner.press("Choose Rig for renting");
  await owner.page.getByText("Rig for renting would change this:").waitFor();
  await owner.page.getByRole("definition").filter({ hasText: "While I am away → Always" }).waitFor();
  await owner.page.getByText("What these figures rest on").waitFor();
  expect(await owner.picture("settings-rule")).toEqual([]);
  await owner.press("Use this rule");
  await owner.reads(/^Rents always, from \$0\.20 an hour\.$/);
  expect(file()).toContain('mode = "always"');
});

story("a setting that is changed is in the file, and one that the agent refuses is told at its field", async () => {
  await field("Floor price").fill("0,35");
  await field("Floor price").press("Enter");
  await owner.reads(/^Rents always, from \$0\.35 an hour\.$/);
  expect(file()).toContain('floor = "0.35"');
  await owner.page.getByRole("status").getByText("Saved").waitFor();

  await field("Floor price").fill("a lot");
  await field("Floor price").press("Enter");
  await owner.page.getByRole("alert").getByText(/^Not changed\..*price\.floor/).waitFor();
  expect(await field("Floor price").inputValue()).toBe("a lot");
  expect(file()).toContain('floor = "0.35"');
  expect(await owner.picture("settings-refused")).toEqual([]);
  await field("Floor price").press("Escape");

  await owner.press(/^Floor price: back to \$0\.20/);
  await owner.reads(/^Rents always, from \$0\.20 an hour\.$/);
  expect(file()).not.toContain("floor");
});

story("what a change would have meant is told before it is made, and taking it back after", async () => {
  await field("Floor price").fill("2.50");
  const effect = owner.page.getByRole("listitem").filter({ has: field("Floor price") });
  await effect.getByText(/a week|week like that/i).first().waitFor();
  await field("Floor price").press("Escape");
  await effect.getByText("What these figures rest on").waitFor({ state: "detached" });
  expect(file()).not.toContain("floor");

  await field("Floor price").fill("2.50");
  await field("Floor price").press("Enter");
  await owner.reads(/^Rents always, from \$2\.50 an hour\.$/);
  await effect.getByText("What these figures rest on").click();
  await effect.getByText(/Made-up weeks of an owner like this/).waitFor();
  expect(await owner.picture("settings-effect")).toEqual([]);
  await owner.press(/^Floor price: back to \$0\.20/);
  await owner.reads(/^Rents always, from \$0\.20 an hour\.$/);
});

story("hours are chosen by the day and the quarter of an hour", async () => {
  const hours = owner.page.getByRole("group", { name: "Hours for renting", exact: true });
  await hours.getByRole("button", { name: "Add hours" }).click();
  await hours.getByRole("button", { name: "Sun" }).click();
  await hours.getByLabel("From").selectOption("21:45");
  await hours.getByRole("button", { name: "Save" }).click();
  await until("the hours in the file", SOON_MS, async () => (file().includes("21:45") ? true : undefined));
  expect(file()).not.toMatch(/sun|daily/);
});

story("what was changed elsewhere meanwhile is neither lost nor hidden", async () => {
  // The page looks every few seconds. What it sees is kept as it was, so that it is the agent that finds out.
  let seen: string | undefined;
  await owner.page.route("**/local/v1/settings", async (route) => {
    if (route.request().method() !== "GET") return route.continue();
    seen ??= await (await route.fetch()).text();
    return route.fulfill({ contentType: "application/json", body: seen });
  });
  await until("a look at the settings", SOON_MS, async () => seen);
  writeFileSync(world.settingsFile, `# by hand\n${file()}`);
  await field("Away after").fill("20");
  await field("Away after").press("Enter");
  await owner.page.unrouteAll({ behavior: "ignoreErrors" });
  await owner.page.getByRole("alert").getByText("The settings were changed elsewhere meanwhile.").waitFor();
  await owner.page.getByRole("region", { name: "The file’s text" }).getByText("# by hand").waitFor();
  expect(file()).not.toContain("20");
  expect(await owner.picture("settings-overtaken")).toEqual([]);
});

story("a file that does not count is told with the lines that are wrong, and mending it is seen", async () => {
  const good = file();
  writeFileSync(world.settingsFile, `${good}\n[heat]\nhot_c = 300\n`);
  const alert = owner.page.getByRole("alert").filter({ hasText: "The settings file does not count." });
  await alert.getByText(/^Line \d+:/).waitFor();
  expect(await owner.picture("settings-broken")).toEqual([]);
  await owner.goTo("Home");
  await owner.reads(/^Needs you\./);
  writeFileSync(world.settingsFile, good);
  await owner.goTo("Settings");
  await owner.reads(/^Rents always/);
  await alert.waitFor({ state: "detached" });
});

story("without the agent, what was known stays and nothing can be changed", async () => {
  await world.killAgent();
  await owner.page.getByRole("alert").getByText("The agent is not running.").waitFor();
  expect(await field("Floor price").isDisabled()).toBe(true);
  expect(await owner.picture("settings-without-agent")).toEqual([]);
});
