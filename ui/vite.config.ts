import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: ["chrome120", "safari17"],
    modulePreload: { polyfill: false },
    // A file of its own for each icon and style: the dashboard's content policy allows no inlined ones.
    assetsInlineLimit: 0,
  },
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["src/**/*.test.ts", "tests/built.test.ts"] } },
      {
        extends: true,
        test: {
          name: "pages",
          include: ["tests/*.story.ts"],
          // One machine, one GPU, one Docker: stories follow one another.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
