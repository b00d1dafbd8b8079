// A TCP proxy that mistreats connections.
import net from "node:net";
import { once } from "node:events";

import { url } from "./server.js";

/**
 * @param {(down: Buffer, connection: {cut: () => void, stall: () => void, up: string}) => (Buffer | void)} [onDown] sees what
 *   the service sends, and says what is passed on
 */
export async function proxy({ onDown, onUp } = {}) {
  const target = new URL(url);
  const connections = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.port), target.hostname);
    const connection = {
      up: "",
      isStalled: false,
      cut() {
        near.destroy();
        far.destroy();
      },
      stall() {
        connection.isStalled = true;
        far.pause();
        near.pause();
      },
    };
    connections.add(connection);
    for (const socket of [near, far]) {
      socket.on("error", () => connection.cut());
      socket.on("close", () => {
        connection.cut();
        connections.delete(connection);
      });
    }
    near.on("data", (chunk) => {
      if (connection.up.length < 4096) connection.up += chunk.toString("latin1");
      if (connection.isStalled) return;
      const passed = onUp ? onUp(chunk, connection, near) : chunk;
      if (passed && far.writable) far.write(passed);
    });
    far.on("data", (chunk) => {
      if (connection.isStalled) return;
      const passed = onDown ? onDown(chunk, connection) : chunk;
      if (passed && near.writable) near.write(passed);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    connections,
    sockets: () => [...connections].filter(({ up }) => /upgrade: websocket/i.test(up)),
    close() {
      for (const one of connections) one.cut();
      server.close();
    },
  };
}
