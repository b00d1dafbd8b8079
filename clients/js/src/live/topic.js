/** @module What can be subscribed to, and how frames name it. */

/** From what the user gave: the fields of the protocol. Throws a `TypeError` where it is none of the feeds. */
export function topicOf({ projectId, organizationId, account, workspaceId, fileId }) {
  const named = [projectId, organizationId, account].filter((one) => one !== undefined && one !== false);
  if (named.length !== 1) throw new TypeError("name one of projectId, organizationId and account: true");
  if (workspaceId !== undefined && projectId === undefined) throw new TypeError("a workspaceId goes with a projectId");
  if (fileId !== undefined && workspaceId === undefined) throw new TypeError("a fileId goes with a workspaceId");
  if (account) return { account: true };
  if (organizationId !== undefined) return { organization_id: organizationId };
  if (workspaceId === undefined) return { project_id: projectId };
  return { project_id: projectId, workspace_id: workspaceId, ...(fileId !== undefined && { file_id: fileId }) };
}

/** The feed that a frame, or a topic, is of: it has the events. */
export function feedKey({ project_id, organization_id, account }) {
  if (project_id) return `project ${project_id}`;
  if (organization_id) return `organization ${organization_id}`;
  return account ? "account" : "";
}

/** The room as well: it has the people. A cursor says by `document` whether the room is the file's own. */
export function topicKey(frame) {
  const { type, workspace_id, file_id, document } = frame;
  const isInFile = workspace_id && (type !== "cursor" || document);
  return [feedKey(frame), workspace_id, isInFile && file_id].filter(Boolean).join(" ");
}
