/** @module What can be subscribed to, and how frames name it. */

/** From what the user gave: the fields of the protocol. Throws a `TypeError` where it is none of the feeds. */
export function topicOf({ projectId, organizationId, account, workspaceId }) {
  const named = [projectId, organizationId, account].filter((one) => one !== undefined && one !== false);
  if (named.length !== 1) throw new TypeError("name one of projectId, organizationId and account: true");
  if (workspaceId !== undefined && projectId === undefined) throw new TypeError("a workspaceId goes with a projectId");
  if (account) return { account: true };
  if (organizationId !== undefined) return { organization_id: organizationId };
  return workspaceId === undefined ? { project_id: projectId } : { project_id: projectId, workspace_id: workspaceId };
}

/** The feed that a frame, or a topic, is of: it has the events. */
export function feedKey({ project_id, organization_id, account }) {
  if (project_id) return `project ${project_id}`;
  if (organization_id) return `organization ${organization_id}`;
  return account ? "account" : "";
}

/** The room as well: it has the people. */
export function topicKey(frame) {
  return frame.workspace_id ? `${feedKey(frame)} ${frame.workspace_id}` : feedKey(frame);
}
