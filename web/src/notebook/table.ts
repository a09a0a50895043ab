import { start } from "../offline/start";
import TableBlock from "./TableBlock.svelte";

start(TableBlock);
