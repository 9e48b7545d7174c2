import { expect, test } from "vitest";
import { languageFor, localeFor } from "./choice";

test("the first wish that can be met is met", () => {
  expect(languageFor(["fr-FR", "de-AT", "en-US"])).toBe("de");
  expect(languageFor(["zh-TW"])).toBe("zh-Hans");
  expect(languageFor(["zh_CN.UTF-8"])).toBe("zh-Hans");
  expect(languageFor(["fr"])).toBe("en");
  expect(languageFor([])).toBe("en");
});

test("figures follow the country, and a locale that is none does no harm", () => {
  expect(localeFor("de", "de-DE", ["en-US", "de-CH"])).toBe("de-CH");
  expect(localeFor("en", "en-GB", ["C", "POSIX", "C.UTF-8"])).toBe("en-GB");
  expect(localeFor("en", "en-GB", ["en_US.UTF-8"])).toBe("en-GB");
  expect(localeFor("zh-Hans", "zh-CN", ["de-DE"])).toBe("zh-CN");
});
