import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const UI = join(import.meta.dirname, "..");
const SCRIPTS_MAX_BYTES = 150_000;

function built(ending: string): Buffer[] {
  const names = readdirSync(join(UI, "dist"), { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(ending)).map((name) => readFileSync(join(UI, "dist", name)));
}

test("all scripts together stay below 150 kB gzipped", () => {
  const scripts = built(".js");
  expect(scripts.length).toBeGreaterThan(0);
  const bytes = scripts.reduce((sum, script) => sum + gzipSync(script).length, 0);
  expect(bytes).toBeLessThanOrEqual(SCRIPTS_MAX_BYTES);
});

test("the page has nothing inline that the dashboard's content policy would refuse", () => {
  const page = String(built("index.html")[0]);
  expect(page).not.toMatch(/<script(?![^>]*\bsrc=)/);
  expect(page).not.toMatch(/<style|\sstyle=|\son\w+=/);
});

test("the lock file names versions and digests, and no host", () => {
  const lock = readFileSync(join(UI, "package-lock.json"), "utf8");
  expect(lock).not.toContain('"resolved"');
});
