import { expect, test } from "vitest";
import { de } from "./de";
import { en } from "./en";
import { marked } from "./marked";
import { zh } from "./zh";

/** What is the same in another language, and rightly so. */
const SAME: Record<string, readonly string[]> = {
  de: [
    "app", "comma", "separator", "space", "trouble.conflict.why", "trouble.refused.why", "home.gpus", "home.apparmor", "home.benchmark",
    "home.sandbox", "home.version", "jobs.image", "course.at", "course.groupFor", "outcome.hours",
  ],
  zh: ["app", "separator", "trouble.conflict.why", "trouble.refused.why", "home.apparmor", "settings.quoted"],
};

/** Figures with their signs: what units look like is for the tests of format.ts. */
const VERBATIM = /^(tag|locale|unit\..*|settings\.(units|amounts)\..*|reasons.*)$/;

/** Said with the count in words where that reads better. */
const COUNTED = new Set(["jobs.sentence", "why.held", "reach.cores", "setup.inTheWay", "setup.couldBeBetter"]);

/** Every text by its path; a function's with the names of what it is given in its place. */
function texts(words: object, at = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(words)) {
    const path = at === "" ? key : `${at}.${key}`;
    if (typeof value === "string") found.set(path, value);
    else if (typeof value === "function") found.set(path, spoken(value as (...given: unknown[]) => string));
    else if (value !== undefined) for (const [inner, text] of texts(value as object, path)) found.set(inner, text);
  }
  return found;
}

function spoken(text: (...given: unknown[]) => string): string {
  return text(...Array.from({ length: text.length }, (_, index) => `{${index}}`));
}

const theirs = { reasons: undefined, checks: undefined };
const english = texts({ ...en, ...theirs });
const others = { de: texts({ ...de, ...theirs }), zh: texts({ ...zh, ...theirs }) };

test.each(Object.entries(others))("%s says all that English says, with every figure in it", (_, words) => {
  expect([...words.keys()]).toEqual([...english.keys()]);
  for (const [path, text] of words) {
    const figures = (from: string) => [...new Set(from.match(/\{\d\}/g))].sort();
    if (COUNTED.has(path)) continue;
    expect([path, ...figures(text)]).toEqual([path, ...figures(english.get(path) ?? "")]);
  }
});

test.each(Object.entries(others))("%s leaves nothing in English", (language, words) => {
  const same = [...words].filter(([path, text]) => !VERBATIM.test(path) && text === english.get(path));
  expect(same.map(([path]) => path).sort()).toEqual([...(SAME[language] ?? [])].sort());
});

test("Chinese is written in Chinese, with its own marks", () => {
  const listed = new Set([...(SAME["zh"] ?? []), "comma", "home.gpus", "wallet.fileName", "course.at", "course.groupFor"]);
  for (const [path, text] of others.zh) {
    if (VERBATIM.test(path) || listed.has(path) || text.replace(/\{\d\}/g, "") === "") continue;
    expect([path, text]).toEqual([path, expect.stringMatching(/\p{Script=Han}/u)]);
    expect([path, text]).not.toEqual([path, expect.stringMatching(/\p{Script=Han}[,.;:!?]/u)]);
  }
});

test("counts are said in words that fit them", () => {
  expect(en.jobs.sentence(1, 1)).toBe("One job, and it is under way.");
  expect(de.jobs.sentence(3, 1)).toBe("Bisher 3 Aufträge, einer läuft gerade.");
  expect(zh.jobs.sentence(3, 1)).toBe("到目前为止共有 3 个任务，其中 1 个正在进行。");
  expect(de.why.held(1)).not.toBe(de.why.held(2));
});

test("the marked catalogue brackets each text once", () => {
  const brackets = marked(en);
  expect(brackets.home.pause).toBe("⟦Pause for 1 hour⟧");
  expect(brackets.home.openJob("x")).toBe("⟦Open x⟧");
  expect(brackets.tag).toBe("en");
});
