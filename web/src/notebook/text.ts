import { start } from "../offline/start";
import TextBlock from "./TextBlock.svelte";

start(TextBlock);
