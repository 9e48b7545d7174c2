import type { SettingsDifference, SettingsKind, SettingsValue } from "./backend";
import { celsius, count, percent, plainNumber, usd } from "./format";
import { shortName } from "./names";
import type { Said } from "./said";
import { t } from "./words/index.svelte";
import type { SettingKey } from "./words/setting-texts";

/** What a change sets a key to; `null` leaves it to its default. */
export type Choice = string | number | boolean | readonly unknown[] | null;

export interface SettingTexts {
  readonly name: Said;
  readonly says: Said;
  /** What a choice risks, where it risks something. */
  readonly risk: string | undefined;
}

/** The key without the GPU for which alone it holds: `gpu.GPU-7f1c.floor` is about `price.floor`. */
export function plainKey(value: SettingsValue): string {
  if (value.gpu == null) return value.key;
  const own = value.key.slice(`gpu.${value.gpu}.`.length);
  return { mode: "rent.mode", floor: "price.floor" }[own] ?? own;
}

/** What a setting is called and means; in the agent's words where it is newer than these pages. */
export function textsOf(value: SettingsValue): SettingTexts {
  const key = plainKey(value);
  const texts = isKnown(key) ? t.settings.keys[key] : undefined;
  if (!texts) return { name: { given: key }, says: { given: `${value.says}.` }, risk: undefined };
  return { name: texts.name, says: texts.says, risk: "risk" in texts ? texts.risk : undefined };
}

function isKnown(key: string): key is SettingKey {
  return key in t.settings.keys;
}

/** A group of settings, by the first part of their keys. */
export interface Group {
  readonly name: string;
  readonly values: readonly SettingsValue[];
}

/** In the agent's order; what holds for one GPU alone stands last, under its name. */
export function groupsOf(values: readonly SettingsValue[], gpuName: (id: string) => string): readonly Group[] {
  const groups = new Map<string, SettingsValue[]>();
  for (const value of values) {
    const table = value.key.split(".")[0] ?? "";
    const named: Record<string, string> = t.settings.groups;
    const name = value.gpu == null ? (named[table] ?? table) : t.settings.onlyFor(shortName(gpuName(value.gpu)));
    const group = groups.get(name);
    if (group) group.push(value);
    else groups.set(name, [value]);
  }
  return [...groups].map(([name, values]) => ({ name, values }));
}

/** Those that speak of what is searched for, in the page's language or by their key. */
export function searched(values: readonly SettingsValue[], text: string): readonly SettingsValue[] {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  return values.filter((value) => {
    const { name, says, risk } = textsOf(value);
    const said = [value.key, spoken(name), spoken(says), risk ?? ""].join(" ").toLowerCase();
    return wanted.every((word) => said.includes(word));
  });
}

/** The bare words. */
export function spoken(said: Said): string {
  return typeof said === "string" ? said : said.given;
}

/** Whether a key takes a list that is written one a line. */
export function isLines(kind: SettingsKind["kind"]): boolean {
  return kind === "programs" || kind === "categories" || kind === "publishers";
}

/** What somebody wrote into a field, as the key takes it. What it does not take goes on, for the agent to refuse. */
export function choiceOf(kind: SettingsKind["kind"], written: string): Choice {
  const text = written.trim();
  if (isLines(kind)) return written.split("\n").map((line) => line.trim()).filter(Boolean);
  if (text === "") return null;
  if (kind === "money") return text.replace("$", "").replace(",", ".").trim();
  if (kind === "whole" || kind === "decimal") {
    const number = Number(text.replace(",", "."));
    return Number.isNaN(number) ? text : number;
  }
  return text;
}

/** What stands in a field for a value. */
export function writtenOf(kind: SettingsKind["kind"], value: unknown): string {
  if (value == null) return "";
  if (kind === "money" || kind === "decimal") return plainNumber(Number(value), kind === "money" ? 2 : 0);
  return Array.isArray(value) ? value.join("\n") : String(value);
}

/** A unit's name, or its sign. */
export function unitOf(unit: string): Said {
  const units: Record<string, string> = t.settings.units;
  return units[unit] ?? { given: unit };
}

/** The agent's words for a value, in the page's language where they are of a known kind. */
export function sayShown(shown: string): Said {
  const [, figure, unit] = /^([\d.]+) (\S+)$/.exec(shown) ?? [];
  if (figure !== undefined && unit !== undefined) {
    if (unit === "%") return percent(Number(figure));
    if (unit === "°C") return celsius(Number(figure));
    const units: Record<string, (figure: string) => string> = t.settings.amounts;
    const say = units[unit.replace(/s$/, "")];
    if (say) return say(count(Number(figure)));
  }
  const [, amount, hour] = /^\$([\d.]+)( an hour| a kWh)?$/.exec(shown) ?? [];
  if (amount !== undefined) {
    const money = usd(Math.round(Number(amount) * 1_000_000));
    if (hour === undefined) return money;
    return hour === " an hour" ? t.unit.perHour(money) : t.settings.perKwh(money);
  }
  const words: Record<string, string> = { ...t.settings.modes, ...t.settings.shown };
  return words[shown] ?? { given: shown };
}

/** Whether a key has a say in when a GPU rents and what that brings. */
export function decides(key: string): boolean {
  return /^(rent|price|heat|quiet|gpu)\./.test(key) && key !== "rent.grace_seconds";
}

export function nameOfDifference(difference: SettingsDifference, values: readonly SettingsValue[]): Said {
  const value = values.find(({ key }) => key === difference.key);
  return value ? textsOf(value).name : { given: difference.key };
}
