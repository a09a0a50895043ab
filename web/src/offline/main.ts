import "../style/page.css";
import "../style/heat.css";
import { mount } from "svelte";
import type { Document } from "./document";
import Page from "./Page.svelte";

const target = document.getElementById("page");
const data = document.getElementById("data")?.textContent;
if (target === null || !data) throw new Error("expected the elements #page and #data");
mount(Page, { target, props: { page: JSON.parse(data) as Document } });
