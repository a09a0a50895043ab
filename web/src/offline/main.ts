import Block from "./Block.svelte";
import { start } from "./start";

start(Block);
