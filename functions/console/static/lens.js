import { heading, show } from "./dom.js";
export function showLens() { show("Policy lens", heading("Policy lens")); }
