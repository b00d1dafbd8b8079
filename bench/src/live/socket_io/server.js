// The peer of `./dev bench live`: a room for each project, and writers that are told when their event is on its way.
// It has the easier job: it stores nothing, gives no numbers and checks no rights.
"use strict";

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { version } = require("socket.io/package.json");

const http = createServer();
const io = new Server(http, { transports: ["websocket"] });

io.on("connection", (socket) => {
  socket.on("follow", async (project, acknowledge) => {
    await socket.join(project);
    acknowledge();
  });
  socket.on("write", (event, acknowledge) => {
    io.to(event.project_id).emit("event", event);
    acknowledge();
  });
});

// The benchmark waits for this line.
http.listen(0, "127.0.0.1", () => {
  console.log(`Socket.IO ${version} on Node ${process.version} listens on 127.0.0.1:${http.address().port}`);
});

// It ends with the benchmark, also when that is killed.
process.stdin.resume().on("end", () => process.exit());
