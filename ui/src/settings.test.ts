import { afterEach, expect, test } from "vitest";
import type { SettingsValue } from "./backend/types";
import { choiceOf, groupsOf, plainKey, sayShown, searched, textsOf, writtenOf } from "./settings";
import { speech } from "./words/index.svelte";

afterEach(() => speech.choose("en"));

function setting(key: string, more: Partial<SettingsValue> = {}): SettingsValue {
  return { key, shown: "", default_shown: "", source: "default", says: "From the agent", takes: { kind: "yes_no" }, ...more };
}

const named = (id: string) => `NVIDIA GeForce ${id}`;

const BATTERY = setting("rent.on_battery");
const FLOOR = setting("price.floor");

test("what is written goes to the agent as the key takes it, and what it does not take goes on", () => {
  expect(choiceOf("whole", " 20 ")).toBe(20);
  expect(choiceOf("whole", "many")).toBe("many");
  expect(choiceOf("money", "$0,35")).toBe("0.35");
  expect(choiceOf("decimal", "1,5")).toBe(1.5);
  expect(choiceOf("money", "")).toBeNull();
  expect(choiceOf("programs", "blender\n\n /opt/games \n")).toEqual(["blender", "/opt/games"]);
});

test("a field shows figures as the language writes them", () => {
  expect(writtenOf("money", "0.20")).toBe("0.20");
  speech.choose("de");
  expect(writtenOf("money", "0.35")).toBe("0,35");
  expect(writtenOf("decimal", 1.5)).toBe("1,5");
});

test("a search looks into names, meanings, risks and keys", () => {
  const names = (text: string) => searched([BATTERY, FLOOR], text).map(({ key }) => key);
  expect(names("")).toEqual(["rent.on_battery", "price.floor"]);
  expect(names("drain battery")).toEqual(["rent.on_battery"]);
  expect(names("price.floor")).toEqual(["price.floor"]);
  speech.choose("zh-Hans");
  expect(names("最低租金")).toEqual(["price.floor"]);
});

test("a key that the pages do not know is told in the agent's words", () => {
  expect(textsOf(setting("rent.by_moonlight")).says).toEqual({ given: "From the agent." });
  expect(groupsOf([setting("moon.phase")], named).map(({ name }) => name)).toEqual(["moon"]);
});

test("what holds for one GPU is told by the rig's words", () => {
  const own = setting("gpu.GPU-7f1c.floor", { gpu: "GPU-7f1c" });
  expect(plainKey(own)).toBe("price.floor");
  expect(groupsOf([FLOOR, own], named).map(({ name }) => name)).toEqual(["Price and electricity", "Only for GPU-7f1c"]);
});

test("the agent's values are said in the page's language", () => {
  speech.choose("de");
  const plain = (shown: string) => String(sayShown(shown)).replaceAll("\u00a0", " ");
  expect(plain("10 minutes")).toBe("10 min");
  expect(plain("70 %")).toBe("70 %");
  expect(plain("$0.20 an hour")).toBe("0,20 $ pro Stunde");
  expect(plain("gpu-idle")).toBe("Wenn kein Programm die GPU benutzt");
  expect(sayShown("mon-fri 22:00-07:00")).toEqual({ given: "mon-fri 22:00-07:00" });
});
