// The live page: index.html and files whose names carry a hash of their content.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  plugins: [svelte()],
  build: {
    outDir: "../src/pofx/web_pages/live",
    emptyOutDir: true,
    // A module preload is an inline script, which the page's Content-Security-Policy refuses.
    modulePreload: false,
    assetsInlineLimit: 0,
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8000", "/begin": "http://127.0.0.1:8000" } },
});
