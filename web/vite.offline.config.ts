// The offline file: one script and one style sheet, which pofx writes into each page with the page's data.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  publicDir: false,
  build: {
    outDir: "../src/pofx/web_pages/offline",
    emptyOutDir: true,
    cssCodeSplit: false,
    lib: {
      entry: "src/offline/main.ts",
      formats: ["iife"],
      name: "pofx",
      fileName: () => "offline.js",
      cssFileName: "offline",
    },
  },
});
