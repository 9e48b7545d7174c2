/** What stands before a GPU's name without saying which one it is. */
const MAKERS = /^(NVIDIA GeForce|NVIDIA|AMD Radeon|AMD|Intel\(R\)|Intel)\s+(?=\S)/;

/** A GPU's name as people say it: `RTX 4090`. What drivers add in brackets stands where the GPU is described. */
export function shortName(name: string): string {
  const said = name.replace(MAKERS, "").replace(/\s*\([^()]*\)\s*$/, "");
  return said === "" ? name : said;
}
