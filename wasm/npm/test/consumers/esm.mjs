import { use } from "./app.js";
console.log(await use());
