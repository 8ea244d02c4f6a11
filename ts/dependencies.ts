/**
 * What a run learns of the tasks that its own depends on, and the tasks that it adds.
 *
 * # Promises
 * - A child is a task like any other, with a link to its parent unless it names one itself.
 * - The results come in the order in which `dependsOn` names the tasks, from one look at the store.
 * - A task that is not there any more has a place all the same.
 *
 * Proof: `__test__/contract/dependencies.test.mjs`.
 */

import type { DependencyResult, Task, TaskDefinition, TaskUuid } from '../index'
import type { Bridge } from './bridge'
import { type DocumentJson, JsonText } from './commands'
import { reviveAll } from './document'
import { stringify } from './globals'
import { membersOf } from './options'

/** A task that a run adds. */
export async function childOf(
  parent: string,
  definition: TaskDefinition,
  add: (definition: TaskDefinition) => Promise<TaskUuid>,
): Promise<TaskUuid> {
  const members = membersOf(definition, undefined) as unknown as TaskDefinition
  return await add({ parent, ...members })
}

const FIELDS = ['uuid', 'status', 'result', 'error', 'abortReason']

/** How the tasks have ended that this one depends on. */
export async function resultsOf(bridge: Bridge, uuid: string): Promise<DependencyResult[]> {
  const bounds = { what: 'results', signal: undefined, timeoutMs: undefined }
  const fields = (names: string[]) => new JsonText(stringify(names))
  const get = { do: 'get', uuid, fields: fields(['dependsOn']) } as const
  const uuids = await bridge.read(get, bounds, named)
  if (uuids.length === 0) return []
  const query = new JsonText(stringify({ uuid: { $in: uuids } }))
  const find = { do: 'find', query, fields: fields(FIELDS) } as const
  const tasks = await bridge.read(find, bounds, (found: DocumentJson[]) => reviveAll(found))
  const found = new Map(tasks.map(task => [task.uuid as string, task]))
  return uuids.map(one => resultOf(one, found.get(one)))
}

const named = ({ dependsOn }: DocumentJson): string[] =>
  (dependsOn as Task['dependsOn'])?.uuids ?? []

function resultOf(uuid: string, task: Task | undefined): DependencyResult {
  if (!task) return { uuid, status: 'removed' }
  const { status, result, error = task.abortReason } = task
  const known: DependencyResult = { uuid, status }
  if (result !== undefined) known.result = result
  if (error !== undefined) known.error = error
  return known
}
