export { Workroom } from "./client.js";
export { WorkroomError } from "./errors.js";
