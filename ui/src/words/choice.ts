/** The languages that the pages speak, by their BCP 47 tags, and what each calls itself. */
export const LANGUAGES = { en: "English", de: "Deutsch", "zh-Hans": "简体中文" } as const;

export type Language = keyof typeof LANGUAGES;

const TAGS = Object.keys(LANGUAGES) as Language[];

/** The first wish that can be met; English where none can. */
export function languageFor(wishes: readonly string[]): Language {
  for (const wish of wishes) {
    const found = TAGS.find((tag) => primary(tag) === primary(wish));
    if (found) return found;
  }
  return "en";
}

/**
 * The locale that figures are written in: the first wish in this language, with its country. Systems hand out names
 * that are none (`C`, `POSIX`), at which Intl throws.
 */
export function localeFor(language: Language, otherwise: string, wishes: readonly string[]): string {
  const wish = wishes.find((one) => primary(one) === primary(language) && isLocale(one));
  return wish ?? otherwise;
}

export function isLanguage(tag: string | null | undefined): tag is Language {
  return TAGS.some((one) => one === tag);
}

function primary(tag: string): string {
  return (tag.split(/[-_]/)[0] ?? "").toLowerCase();
}

export function isLocale(tag: string): boolean {
  try {
    return Intl.NumberFormat.supportedLocalesOf(tag).length > 0;
  } catch {
    return false;
  }
}
