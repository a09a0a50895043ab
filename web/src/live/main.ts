import "../style/page.css";
import "../style/heat.css";
import "../style/live.css";
import { mount } from "svelte";
import App from "./App.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html: expected an element #app");
mount(App, { target });
