// Read by the compiler, not run: the types fit what people write.
import { Workroom, WorkroomError, type Tokens } from "../src/index.js";

const workroom = new Workroom({ url: "http://localhost:8080", onTokens: (tokens: Tokens | null) => void tokens });
await workroom.signIn({ email: "ada@example.com", password: "an analytical engine" });
const { etag, data } = await workroom.request<{ id: string }>("POST", "/projects", { body: { name: "Apollo" } });
await workroom.patch(`/projects/${data.id}`, { name: "Gemini" }, { ifMatch: etag ?? undefined });
for await (const task of workroom.list<{ title: string }>("/projects/1/tasks", { query: { status: ["todo", "done"] } })) task.title.trim();
const subscription = workroom.subscribe({ projectId: data.id, since: { seq: 0 }, presence: true, cursors: true });
subscription.on("presence", (change) => (change.type === "presence.left" ? change.user_id : change));
subscription.on("reset", ({ head }) => head + 1);
subscription.moveCursor({ line: 1, column: 2 });
for await (const event of subscription) event.seq.toFixed();
workroom.on("status", ({ state }) => state === "online");
workroom.subscribe({ account: true });
new Workroom({ url: "x", WebSocket: globalThis.WebSocket });
try {
  await workroom.delete("/projects/1");
} catch (error) {
  if (error instanceof WorkroomError && error.uncertain) error.errors.map(({ pointer }) => pointer);
}
// @ts-expect-error one feed at a time
workroom.subscribe({ projectId: "1", account: true });
workroom.subscribe({ projectId: "1", workspaceId: "2", fileId: "3", presence: true }).on("message", ({ file_id: file }) => file?.trim());
await workroom.publish("1", { name: "saved", data: null, workspaceId: "2", fileId: "3" });
// @ts-expect-error a file is named with its workspace
workroom.subscribe({ projectId: "1", fileId: "3" });
// @ts-expect-error there is no such event
subscription.on("nothing", () => {});
