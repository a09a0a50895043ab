import "../style/page.css";
import "../style/heat.css";
import "../style/compact.css";
import { mount } from "svelte";
import type { Document } from "./document";
import Page from "./Page.svelte";

const target = document.getElementById("page");
const data = document.getElementById("data")?.textContent;
if (target === null || !data) throw new Error("expected the elements #page and #data");
const page = JSON.parse(data) as Document;
document.body.classList.toggle("compact", page.compact);
mount(Page, { target, props: { page } });
