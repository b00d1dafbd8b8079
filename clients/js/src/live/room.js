/** @module Who is in a room, and where they point, as the frames tell it. */

export class Room {
  /** Account id → `{user_id, connections, since, state}`. */
  members = new Map();
  /** Connection id → the frame that tells where it points. */
  cursors = new Map();

  /** Another connection: the service tells all cursors anew. Members stay until the next picture. */
  enter() {
    this.cursors.clear();
  }

  /** Takes in a `presence.*` frame. */
  presence(frame) {
    const { type, project_id: _, workspace_id: __, file_id: ___, ...member } = frame;
    if (type === "presence.state") this.members = replace(this.members, frame.members);
    else if (type === "presence.left") this.members.delete(frame.user_id);
    else this.members.set(frame.user_id, member);
  }

  /** Takes in a `cursor` frame. Without a place, the cursor is gone. */
  cursor(frame) {
    const points = ["x", "y", "line", "column", "selection"].some((field) => frame[field] !== undefined && frame[field] !== null);
    if (points) this.cursors.set(frame.connection_id, frame);
    else this.cursors.delete(frame.connection_id);
  }
}

/** The same map with other members: whoever shows it may hold on to it. */
function replace(map, members) {
  map.clear();
  for (const member of members) map.set(member.user_id, member);
  return map;
}
