// The frames of a notebook: a script and a style sheet for each group of records, `vite build --mode table|text|report`.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  publicDir: false,
  build: {
    outDir: "../src/pofx/web_pages/notebook",
    // The first build of the three empties the folder.
    emptyOutDir: mode === "table",
    cssCodeSplit: false,
    lib: {
      entry: `src/notebook/${mode}.ts`,
      formats: ["iife"],
      name: "pofx",
      fileName: () => `${mode}.js`,
      cssFileName: mode,
    },
  },
}));
