import { start } from "../offline/start";
import ReportBlock from "./ReportBlock.svelte";

start(ReportBlock);
