import { Context } from '@temporalio/activity';

/** Cluster, namespace and id of the workflow: the same again only once the one before has ended. */
export async function temporalName(): Promise<string> {
  const { client, info } = Context.current();
  const { clusterId } = await client.workflowService.getClusterInfo({});
  return `${clusterId}/${info.workflowNamespace}/${info.workflowExecution?.workflowId}`;
}
