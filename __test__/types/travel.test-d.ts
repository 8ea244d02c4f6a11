// Types that travel: functions that are written for any tasker, for one operation of several, or in
// another file. Each `@ts-expect-error` is a mistake that must not compile.
// Compiled by `tsc -p tsconfig.json` and by `__test__/package/types.test.mjs`, never run.

import {
  type DataOf,
  type Jsonify,
  type OperationName,
  type Outbox,
  type Query,
  type Registry,
  type ResultOf,
  type Runner,
  type RunnerContext,
  type Task,
  type TaskDefinition,
  Tasker,
  type TaskerOptions,
  type TaskLogger,
  type TaskUuid,
} from '../../index'
import { is } from './equal'

interface Operations {
  mail: { data: { to: string }; result: { id: string } }
  purge: { data: { days: number } }
  tidy: { result: number }
}
type AsType = {
  mail: { data: { to: string }; result: { id: string } }
  tidy: { result: number }
}

const tasker = new Tasker<Operations>()

// A typed tasker is a `Tasker`, and its parts are what they are called.
async function dashboard(any: Tasker) {
  any.on('task.failed', (uuid, error) => console.error(uuid, error))
  const [task] = await any.findTasks({ status: 'failed', 'data.to': 'me' }, { limit: 1 })
  if (task) await any.addTask({ operation: task.operation, data: task.data })
  return [await any.countTasks(), task?.data.to, row(task)]
}
const row = (task?: Task) => `${task?.operation} ${task?.status} ${task?.data?.to}`
const place = (outbox: Outbox) => outbox.addTask({ operation: 'mail', data: { to: 'me' } })
const count = (any: Tasker, query: Query) => any.countTasks(query)
const label = ({ operation, data }: TaskDefinition) => `${operation} ${JSON.stringify(data)}`
const storeOf = ({ store }: TaskerOptions) => store
const log = ({ logger, operation }: RunnerContext) => logger.info(operation)

export async function natural(query: Query<Operations>, options: TaskerOptions<Operations>) {
  await dashboard(tasker)
  await dashboard(new Tasker<AsType>())
  await dashboard(new Tasker())
  row((await tasker.findTasks({ operation: 'mail' }))[0])
  place(tasker.outbox({} as never))
  await count(tasker, query)
  label({ operation: 'mail', data: { to: 'me' } } satisfies TaskDefinition<Operations>)
  storeOf(options)
  const kept: Tasker[] = [tasker, new Tasker<AsType>()]
  const byName = new Map<string, Tasker>([['a', tasker]])
  return [kept, byName]
}
class Service {
  readonly tasker: Tasker<Operations> = new Tasker('tasks.db')
}
is<Tasker<Operations>>()(new Service().tasker, true)
class Own<Names extends Registry<Names>> extends Tasker<Names> {
  failed() {
    return this.findTasks({ status: 'failed' })
  }
}
dashboard(new Own<Operations>())
// @ts-expect-error the registries differ
const other: Tasker<AsType> = tasker

export { other }

// A middleware: around every runner, around runners of one registry, around one.
const traced =
  (runner: Runner): Runner =>
  context =>
    runner({ ...context, attempt: context.attempt + 1 })
const timed =
  <Name extends OperationName<Operations>>(runner: Runner<Operations, Name>) =>
  async (context: RunnerContext<Jsonify<DataOf<Operations, Name>>, Name>) => {
    const { operation, logger } = context
    logger.info(operation)
    return runner({ ...context })
  }
const mail: Runner<Operations, 'mail'> = context => {
  log(context)
  is<'mail'>()(context.operation, true)
  return { id: context.data.to }
}
tasker.assignRunner('mail', traced(mail))
tasker.assignRunner('mail', timed(mail))
tasker.assignRunner(
  'purge',
  timed(({ data }) => data.days),
)
// @ts-expect-error the runner of another operation
tasker.assignRunner('tidy', mail)

// What depends on the operation.
export function enqueue<Name extends OperationName<Operations>>(
  operation: Name,
  data: DataOf<Operations, Name>,
) {
  return tasker.addTask({ operation, data, priority: 1 })
}
export async function run<Name extends OperationName<Operations>>(
  operation: Name,
  data: DataOf<Operations, Name>,
): Promise<Jsonify<ResultOf<Operations, Name>>> {
  const uuid = await tasker.addTask({ operation, data })
  return tasker.waitForTaskOutputData(uuid)
}
export async function inAny<All extends Registry<All>, Name extends OperationName<All>>(
  any: Tasker<All>,
  operation: Name,
  data: DataOf<All, Name>,
) {
  const uuid = await any.addTask({ operation, data })
  const { status, attempt } = await any.getTask(uuid)
  return [uuid, status, attempt, await any.countTasks()]
}
export async function called() {
  is<TaskUuid<'mail'>>()(await enqueue('mail', { to: 'me' }), true)
  is<{ id: string }>()(await run('mail', { to: 'me' }), true)
  is<number>()(await run('tidy', undefined), true)
  await inAny(tasker, 'purge', { days: 1 })
  // @ts-expect-error the data of another operation
  await enqueue('mail', { days: 1 })
  // @ts-expect-error no such operation
  await inAny(tasker, 'prune', { days: 1 })
}

// A loop over tasks of several operations, and lists of them.
export async function again(word: 'mail' | 'tidy') {
  const failed = await tasker.findTasks({ status: 'failed' })
  for (const { operation, data } of failed) await tasker.addTask({ operation, data })
  for (const task of failed) await tasker.addTask({ operation: task.operation, data: task.data })
  const uuids = await tasker.addTasks(failed.map(({ operation, data }) => ({ operation, data })))
  is<TaskUuid<'mail' | 'purge' | 'tidy'>[]>()(uuids, true)
  const mails = await tasker.findTasks({ operation: 'mail' })
  const ofMails = await tasker.addTasks(
    mails.map(({ operation, data }) => ({ operation, data, priority: -1 })),
  )
  is<TaskUuid<'mail'>[]>()(ofMails, true)

  const [first, second] = await tasker.addTasks([
    { operation: 'mail', data: { to: 'me' } },
    { operation: 'tidy', priority: 1 },
  ])
  is<{ id: string }>()(await tasker.waitForTaskOutputData(first), true)
  is<number>()(await tasker.waitForTaskOutputData(second), true)
  const list: TaskDefinition<Operations>[] = [{ operation: 'tidy' }]
  list.push({ operation: 'mail', data: { to: 'me' } })
  await tasker.addTasks(list)

  // @ts-expect-error one of the operations needs data
  await tasker.addTask({ operation: word })
  // @ts-expect-error each definition has data of its own operation
  await tasker.addTasks([{ operation: 'mail', data: { days: 1 } }, { operation: 'tidy' }])
  // @ts-expect-error data is missing in one of them
  await tasker.addTasks([{ operation: 'mail' }, { operation: 'tidy' }])
  // @ts-expect-error no such option in one of them
  await tasker.addTasks([{ operation: 'tidy', prioriy: 1 }])
}

// Without a registry runners say nothing of the operations that there are.
export async function loose() {
  const untyped = new Tasker({ runners: { a: ({ data }) => data * 2, b: async () => {} } })
  is<Tasker>()(untyped, true)
  await untyped.addTask({ operation: 'c', data: [1] })
  await untyped.addTasks([{ operation: 'd' }, { operation: 'e', data: 1 }])
  // @ts-expect-error a runner is a function
  new Tasker({ runners: { a: 1 } })
}
new Tasker<Operations>({ store: new URL('file:///tasks.db'), runners: { mail: timed(mail) } })
new Tasker(new URL('file:///tasks.db'))
// @ts-expect-error with a registry runners are those of its operations
new Tasker<Operations>({ runners: { mial: mail } })
// @ts-expect-error with a registry runners return its results
new Tasker<Operations>({ runners: { mail: () => ({ id: 1 }) } })

// Functions of the logger and the context may be passed on alone.
export const listener = ({ logger: { info }, progress }: RunnerContext): [TaskLogger['info']] => {
  progress(1)
  return [info]
}
