// Runners that are modules: each task in a thread that can be ended.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { ThreadPool } from '../../dist/thread-pool.js'
import { Tasker } from '../../index.mjs'
import { openTest } from '../../testing.mjs'
import { imports, next, open, refused, rejection, runs } from './open.mjs'
import aborts from './threads/aborts.mjs'
import inProcess, { cases } from './threads/cases.mjs'

const url = name => new URL(`./threads/${name}`, import.meta.url)
const does = url('does.mjs')
const GRACE_MS = 5_000

/** A tasker whose operation `a` is a module, started. */
async function threaded(t, module, options = { threads: 2 }) {
  const tasker = open(t)
  tasker.assignRunner('a', module, options)
  await tasker.start()
  return tasker
}

/** The same by the clock of a test. */
async function timed(t, module, options = { threads: 2 }, patience = '1s') {
  const testing = await openTest({ patience })
  t.after(() => testing.close())
  testing.tasker.assignRunner('a', module, options)
  await testing.tasker.start()
  return testing
}

const add = (tasker, data, more) => tasker.addTask({ operation: 'a', data, ...more })
const run = async (tasker, data, more) =>
  await tasker.waitForTaskOutputData(await add(tasker, data, more))

/** What was thrown, without what tells one place from another. */
function shown(value) {
  if (typeof value !== 'object' || value === null) return value
  const keys = ['name', 'message', 'cause', 'errors', ...Object.keys(value)]
  const own = Object.fromEntries(keys.map(key => [key, shown(value[key])]))
  return { ...own, stack: typeof value.stack, isError: value instanceof Error }
}

/** What is stored of it: where it was thrown differs. */
const withoutStacks = value =>
  JSON.parse(JSON.stringify(value ?? null, (key, part) => (key === 'stack' ? 'a stack' : part)))

const schema = {
  data: {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: value => (typeof value === 'string' ? { value } : { issues: [{ message: 'no' }] }),
    },
  },
}

/** All that is to be seen of a case, carried out by this runner. */
async function outcomeOf(tasker, name) {
  const before = await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'child' }))
  const [first] = await tasker.addTasks([{ operation: 'child', data: 'first' }])
  const uuid = await add(
    tasker,
    { case: name, odd: JSON.parse('{"__proto__":{"a":1},"b":[null]}') },
    { id: { n: 1 }, label: name, tags: ['x', 'y'], priority: 3, retry: 3, dependsOn: [first] },
  )
  const thrown = await tasker.waitForTaskOutputData(uuid).then(
    () => undefined,
    error => shown(error),
  )
  const task = await tasker.getTask(uuid, { withLogs: true, logsMaxLevel: 'debug' })
  const { status, cause, result, error, progress, attempt, logs } = task
  const lines = logs.map(({ level, message, fields }) => ({ level, message, fields }))
  const children = await tasker.findTasks({ parent: uuid }, { sort: { createdAt: 1 } })
  const of = ({ operation, data, priority, runAt }) => ({ operation, data, priority, runAt })
  const stored = { error, result, lines, children: children.map(of) }
  const told = { status, cause, progress: progress && { ...progress, at: 0 }, attempt, thrown }
  return { before, ...told, ...JSON.parse(replaced(withoutStacks(stored), first)) }
}

const replaced = (value, uuid) => JSON.stringify(value).replaceAll(uuid, 'the first')

/** Those that have tests of their own. */
const OTHERS = new Set(['snooze', 'retryLater', 'addOfMemory'])
const short = Object.keys(cases).filter(name => !OTHERS.has(name))

async function outcomes(t, runner, options) {
  const tasker = open(t, { logLevel: 'debug' })
  tasker.assignRunner('a', runner, options)
  tasker.assignRunner('child', () => 'child')
  tasker.assignRunner('strict', () => {}, { schema })
  await tasker.start()
  const all = await Promise.all(
    short.map(async name => {
      const outcome = await outcomeOf(tasker, name)
      if (name === 'manyLogs') outcome.lines.splice(3, 9_995)
      return [name, outcome]
    }),
  )
  return Object.fromEntries(all)
}

test('a run in a thread has the context of one beside its tasker, and ends as that', async t => {
  const [here, there] = [await outcomes(t, inProcess), await outcomes(t, url('cases.mjs'))]
  for (const name of short) {
    // Who asked is in the stack of each refusal, beside a tasker of most.
    const isTraced = there[name].result?.traces ?? true
    assert.ok(isTraced, name)
    for (const one of [there, here]) delete one[name].result?.traces
    assert.deepEqual(there[name], here[name], name)
  }
  assert.equal(there.facts.result.own, true)
  assert.equal(there.retries.attempt, 3)
  assert.equal(there.unrecoverable.attempt, 1)
  assert.equal(there.function.cause, 'unstorable')
  assert.equal(there.throws.thrown.retryAfter, 30)
})

test('a snooze and a pause of its own choice are those of any run', async t => {
  for (const runner of [inProcess, url('cases.mjs')]) {
    // A thread may take its time to begin, and the clock is to wait for it.
    const { tasker, clock } = await timed(t, runner, {}, '10m')
    const snoozed = await add(tasker, { case: 'snooze' })
    const later = await add(tasker, { case: 'retryLater' }, { retry: 2 })
    await clock.advance('3h')
    const task = await tasker.getTask(snoozed)
    assert.deepEqual([task.result, task.attempt], ['went on', 1])
    const { status, attempt, error } = await tasker.getTask(later)
    assert.deepEqual([status, attempt, error.name], ['failed', 2, 'RetryLater'])
  }
})

test('events tell of logs, progress and ends of a run in a thread', async t => {
  const tasker = await threaded(t, url('cases.mjs'))
  const told = []
  tasker.on('task.log', (_, { message, fields }) => told.push([message, fields]))
  tasker.on('task.progress', (_, { current }) => told.push(current))
  tasker.on('task.done', (_, result) => told.push(['done', result]))
  tasker.on('task.failed', (_, error) => told.push(['failed', error.code, error.cause.name]))
  await run(tasker, { case: 'progress' })
  assert.deepEqual(told.splice(0), [1, 2, 3, ['done', undefined]])
  await run(tasker, { case: 'logs' })
  assert.deepEqual(told[0], ['a line of crit', { level: 'crit' }])
  assert.equal(told.splice(0).length, 13)
  await rejection(run(tasker, { case: 'throws' }))
  assert.deepEqual(told, [['failed', 'E_QUOTA', 'TypeError']])
})

test('a signal fires in the thread, with the reason that it has beside a tasker', async t => {
  const reasons = [undefined, 'a text', { not: 'an Error' }, new RangeError('mine', { cause: 7 })]
  for (const reason of reasons) {
    const [here, there] = await Promise.all(
      [aborts, url('aborts.mjs')].map(async runner => {
        const tasker = await threaded(t, runner, {})
        const uuid = await add(tasker)
        await next(tasker, 'task.log')
        assert.equal(await tasker.abortTask(uuid, reason), true)
        const error = await rejection(tasker.waitForTaskOutputData(uuid))
        const { status, cause, logs } = await tasker.getTask(uuid, { withLogs: true })
        const lines = logs.map(({ message, fields }) => [message, fields])
        return { status, cause, lines, error: shown(error) }
      }),
    )
    assert.deepEqual(there, here)
    assert.equal(there.lines[1][1].isSame, true)
  }
})

test('a run in a thread may return after its signal has fired', async t => {
  const tasker = await threaded(t, url('aborts.mjs'))
  const uuid = await add(tasker, { returns: true })
  await next(tasker, 'task.log')
  await tasker.abortTask(uuid)
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'all the same')
})

test('an endless loop is ended by its runTimeout, and other threads go on', async t => {
  const { tasker, clock } = await timed(t, does)
  const loop = await add(tasker, { do: 'loop' }, { runTimeout: '1m' })
  await next(tasker, 'task.log')
  const other = await add(tasker, { do: 'waits' })
  const ended = next(tasker, `task.${loop}.ended`)
  await clock.advance(60_000 + GRACE_MS)
  assert.equal((await ended)[0], 'aborted')
  const { cause, logs } = await tasker.getTask(loop, { withLogs: true })
  assert.deepEqual([cause, logs.map(({ message }) => message)], ['run-timeout', ['loops']])
  assert.equal((await tasker.getTask(other)).status, 'running')
  const { threadId } = await run(tasker, { do: 'where' })
  assert.ok(threadId > 2, 'a new thread')
})

test('a timeout that is tried again gets another thread', async t => {
  const { tasker, clock } = await timed(t, does, { threads: 1 })
  const retry = { attempts: 3, on: ['timeout'], backoff: { type: 'fixed', delay: '1m' } }
  const uuid = await add(tasker, { do: 'loop' }, { runTimeout: '1m', retry })
  await clock.advance('1h')
  const { status, cause, attempts } = await tasker.getTask(uuid)
  const outcomes = attempts.map(({ outcome }) => outcome)
  assert.deepEqual([status, cause], ['aborted', 'run-timeout'])
  assert.equal(outcomes.length, 3)
})

test('an endless loop is ended by an abort, after the grace', async t => {
  const { tasker, clock } = await timed(t, does, { threads: 1 })
  const uuid = await add(tasker, { do: 'loop' })
  await next(tasker, 'task.log')
  await tasker.abortTask(uuid, 'enough')
  await clock.advance(GRACE_MS - 1)
  assert.equal((await tasker.getTask(uuid)).status, 'running')
  await clock.advance(1)
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuid))).message, 'enough')
  assert.equal((await run(tasker, { do: 'where' })).runs, 1)
})

test('a thread that computes hears of an abort at its checkpoints', async t => {
  const tasker = await threaded(t, does)
  const uuid = await add(tasker, { do: 'counts' })
  await next(tasker, 'task.progress')
  await tasker.abortTask(uuid, 'enough')
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuid))).message, 'enough')
})

test('a run in a thread halts at a checkpoint, goes on, and may be aborted there', async t => {
  const tasker = await threaded(t, does, { threads: 1 })
  const uuid = await add(tasker, { do: 'counts' })
  const comesTo = async state => {
    while ((await tasker.getTask(uuid)).state !== state);
  }
  await comesTo('running')
  assert.equal(await tasker.pauseTask(uuid), true)
  await comesTo('paused')
  assert.equal(await tasker.resumeTask(uuid), true)
  await comesTo('running')
  await tasker.pauseTask(uuid)
  await comesTo('paused')
  await tasker.abortTask(uuid, 'at a checkpoint')
  const error = await rejection(tasker.waitForTaskOutputData(uuid))
  assert.equal(error.message, 'at a checkpoint')
})

for (const [deed, why, cause] of [
  ['exit', 'process.exit(3)', undefined],
  ['late', 'nobody catches this', 'RangeError'],
  ['rejects', 'nobody waits for this', 'Error'],
]) {
  test(`a thread that ends by itself fails its run, which is tried again: ${deed}`, async t => {
    const tasker = await threaded(t, does, { threads: 2 })
    const other = await add(tasker, { do: 'waits' })
    const uuid = await add(tasker, { do: deed }, { retry: 2 })
    const error = await rejection(tasker.waitForTaskOutputData(uuid))
    assert.equal(error.code, 'TASKER_THREAD_EXITED')
    assert.equal(error.message, `the thread of the run has ended before the run: ${why}`)
    assert.equal(error.cause?.name, cause)
    const { attempts, error: stored } = await tasker.getTask(uuid)
    assert.equal(attempts.length, 2)
    assert.equal(stored.code, 'TASKER_THREAD_EXITED')
    assert.equal((await run(tasker, { do: 'where' })).runs, 1)
    assert.equal((await tasker.getTask(other)).status, 'running')
  })
}

test('what a thread has said before it ends counts', async t => {
  for (let n = 0; n < 4; n += 1) {
    const tasker = await threaded(t, does, { threads: 1 })
    assert.equal(await run(tasker, { do: 'thenExit' }), 'said before')
  }
})

test('no more runs than threads are under way, and a thread has one after the other', async t => {
  const tasker = await threaded(t, does, { threads: 2 })
  const waits = [await add(tasker, { do: 'waits' }), await add(tasker, { do: 'waits' })]
  const last = await add(tasker, { do: 'where' })
  const { reasons } = await tasker.explainTask(last)
  const [{ reason, operation, limit, running, message }] = reasons
  assert.deepEqual([reason, operation, limit, running], ['place', 'a', 2, 2])
  assert.equal(message, "this tasker runs 2 of 2 tasks of 'a' in threads at once")
  assert.deepEqual((await tasker.explain({ operation: 'a' })).reasons, { place: 1 })
  await tasker.abortTask(waits[0])
  const where = await tasker.waitForTaskOutputData(last)
  assert.deepEqual({ ...where, threadId: 0 }, { ...EVERYWHERE, runs: 2 })
})

/** What every thread sees: nothing of ours. */
const EVERYWHERE = { threadId: 0, isMainThread: false, data: 'none', hasPort: true }

test('one thread is enough for what comes one after the other', async t => {
  const tasker = await threaded(t, does, { threads: 4 })
  const ids = new Set()
  for (let n = 1; n <= 5; n += 1) {
    const { threadId, runs } = await run(tasker, { do: 'where' })
    ids.add(threadId)
    assert.equal(runs, n)
  }
  assert.equal(ids.size, 1)
})

test('a run that is over may still ask, and what it reports is dropped', async t => {
  const tasker = await threaded(t, does)
  const added = next(tasker, 'task.added')
  const late = new Promise(resolve => {
    tasker.on('task.added', async uuid => {
      if ((await tasker.getTask(uuid)).data === 'late') resolve(uuid)
    })
  })
  const uuid = await add(tasker, { do: 'asksLate' })
  await added
  assert.equal((await tasker.getTask(await late)).parent, uuid)
  assert.deepEqual((await tasker.getTask(uuid, { withLogs: true })).logs, [])
})

test('modules of both kinds are runners', async t => {
  const tasker = open(t, { runners: { b: url('double.mjs') } })
  tasker.assignRunner('c', url('triple.cjs'))
  tasker.assignRunner('d', url('quadruple.cjs'))
  await tasker.start()
  for (const [operation, expected] of [
    ['b', 14],
    ['c', 21],
    ['d', 28],
  ]) {
    const uuid = await tasker.addTask({ operation, data: 7 })
    assert.equal(await tasker.waitForTaskOutputData(uuid), expected)
  }
})

test('a module that cannot be used fails its tasks for good, and a warning says so', async t => {
  for (const [name, message] of [
    ['throws.mjs', /its module cannot be loaded: this module cannot be loaded/],
    ['nothing.mjs', /default export of .*nothing.mjs must be a function/],
    ['generator.mjs', /must not be a generator function/],
  ]) {
    const tasker = await threaded(t, url(name))
    const warned = once(process, 'warning')
    const uuid = await add(tasker, undefined, { retry: 5 })
    const error = await refused(tasker.waitForTaskOutputData(uuid), 'TASKER_INVALID', 'runner')
    assert.match(error.message, message)
    assert.equal((await tasker.getTask(uuid)).attempt, 1)
    const [warning] = await warned
    assert.equal(warning.code, 'TASKER_RUNNER_BROKEN')
    assert.ok(warning.message.includes(name))
  }
})

test('what is no module, and a wrong number of threads, is refused', t => {
  const tasker = open(t)
  const assign = (runner, options) => () => tasker.assignRunner('a', runner, options)
  const wrong = (path, message) => ({ code: 'TASKER_INVALID', path, message })
  assert.throws(assign(url('missing.mjs')), wrong('runner', /a module that is not there: file:/))
  assert.throws(assign(url('.')), wrong('runner', /not there/))
  for (const runner of ['./does.mjs', does.href, does.pathname, {}, undefined]) {
    assert.throws(assign(runner), wrong('runner', /must be a function, or the file: URL/))
  }
  for (const text of ['https://example.org/a.mjs', 'data:text/javascript,export default 1']) {
    assert.throws(assign(new URL(text)), wrong('runner', /the file: URL of a module/))
  }
  for (const threads of [0, -1, 1.5, 257, '2', null, Number.NaN, 2n]) {
    assert.throws(assign(does, { threads }), wrong('threads', /a whole number from 1 to 256/))
  }
  assert.throws(
    assign(() => {}, { threads: 1 }),
    wrong('threads', /for a runner that is a module/),
  )
  assert.throws(assign(does, { thread: true }), wrong('thread', /is not an option/))
  const runners = { a: url('missing.mjs') }
  assert.throws(() => new Tasker({ store: ':memory:', runners }), wrong('runner', /not there/))
  tasker.assignRunner('a', does, { threads: 256 })
})

test('threads go with assignRunner, and not into the record of an operation', async t => {
  const tasker = open(t)
  await refused(tasker.defineOperation('a', { threads: 2 }), 'TASKER_INVALID', 'threads')
  tasker.assignRunner('a', does, { threads: 2, priority: 7 })
  await tasker.start()
  const [{ layers }] = await tasker.findOperations()
  assert.deepEqual(layers, { assignRunner: { priority: 7 } })
})

test('there are as many threads as processors but one, unless something is said', async t => {
  const tasker = await threaded(t, does, {})
  const threads = Math.max(1, availableParallelism() - 1)
  let last
  for (let n = 0; n <= threads; n += 1) last = await add(tasker, { do: 'waits' })
  const [{ reason, limit }] = (await tasker.explainTask(last)).reasons
  assert.deepEqual([reason, limit], ['place', threads])
})

test('what stays in memory cannot go to a thread, nor come from one', async t => {
  const tasker = await threaded(t, url('cases.mjs'))
  const uuid = await add(tasker, { case: 'nothing' }, { attach: {}, retry: 3 })
  await refused(tasker.waitForTaskOutputData(uuid), 'TASKER_UNSUPPORTED', 'attach')
  assert.equal((await tasker.getTask(uuid)).attempt, 1)
  for (const path of ['attach', 'abortSignal']) {
    const shown = await run(tasker, { case: 'addOfMemory', path })
    assert.deepEqual([shown.code, shown.path], ['TASKER_UNSUPPORTED', path])
  }
})

test('schemas check the result of a thread, as it is stored', async t => {
  const result = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: value => (value === 4 ? { value } : { issues: [{ message: `no ${value}` }] }),
    },
  }
  const tasker = await threaded(t, url('double.mjs'), { schema: { result } })
  assert.equal(await run(tasker, 2), 4)
  const error = await refused(run(tasker, 3), 'TASKER_INVALID', 'result')
  assert.match(error.message, /no 6/)
})

test('a stop waits for a thread, and ends it when its time is over', async t => {
  const tasker = await threaded(t, does)
  const short = await add(tasker, { do: 'compute', n: 1_000 })
  const loop = await add(tasker, { do: 'loop' })
  await next(tasker, 'task.log')
  await tasker.waitForTaskOutputData(short)
  await tasker.stop({ timeout: 50 })
  assert.deepEqual(threadsHere(), [])
  const { status, attempts } = await tasker.getTask(loop)
  assert.deepEqual([status, attempts.length], ['new', 1])
  await tasker.start()
  await next(tasker, 'task.log')
  await tasker.stop({ onStop: 'abort', timeout: 1 })
  assert.deepEqual(threadsHere(), [])
  assert.equal((await tasker.getTask(loop)).cause, 'stop')
})

/** What Node says of threads and their channels that keep this process alive. */
const threadsHere = () =>
  process.getActiveResourcesInfo().filter(one => /Worker|MessagePort/.test(one))

test('postponeTask ends the thread of a run with it', async t => {
  const tasker = await threaded(t, does, { threads: 1 })
  const uuid = await add(tasker, { do: 'loop' })
  await next(tasker, 'task.log')
  await tasker.postponeTask(uuid, { delay: '1h' })
  assert.equal((await run(tasker, { do: 'where' })).runs, 1)
})

test('a runner that is taken away finishes what it has begun, and another follows', async t => {
  const tasker = await threaded(t, url('aborts.mjs'), { threads: 1 })
  const uuid = await add(tasker, { returns: true })
  await next(tasker, 'task.log')
  assert.equal(await tasker.unassignRunner('a'), true)
  tasker.assignRunner('a', url('double.mjs'), { threads: 1 })
  const other = await add(tasker, 2)
  await tasker.abortTask(uuid)
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'all the same')
  assert.equal(await tasker.waitForTaskOutputData(other), 4)
  await tasker.unassignRunner('a')
  tasker.assignRunner('a', ({ data }) => [data])
  const all = await Promise.all([1, 2, 3].map(data => run(tasker, data)))
  assert.deepEqual(all, [[1], [2], [3]])
})

test('a crash of a test ends its threads, and the next tasker runs the task again', async t => {
  const { tasker, crash } = await timed(t, does)
  const uuid = await add(tasker, { do: 'loop' })
  await next(tasker, 'task.log')
  const following = await crash()
  following.assignRunner('a', url('double.mjs'))
  await following.start()
  assert.equal(await following.waitForTaskOutputData(uuid), null)
  assert.equal((await following.getTask(uuid)).attempt, 2)
})

test('threads keep no process alive, and none outlives close', async () => {
  const script = `${imports}
    const module = new URL('./__test__/contract/threads/does.mjs', import.meta.url)
    const tasker = new Tasker({ store: ':memory:', runners: { a: module } })
    await tasker.start()
    const uuid = await tasker.addTask({ operation: 'a', data: { do: 'where' } })
    console.log((await tasker.waitForTaskOutputData(uuid)).threadId)
    await tasker.stop()
    console.log(process.getActiveResourcesInfo().filter(one => /Worker|Port/.test(one)).length)
    await tasker.start()
    const loop = await tasker.addTask({ operation: 'a', data: { do: 'loop' } })
    await new Promise(resolve => tasker.once('task.log', resolve))
    await tasker.close({ timeout: 0 })
    const left = process.getActiveResourcesInfo().filter(one => !/Pipe|TTY|Immediate/.test(one))
    console.log(left.join())
  `
  assert.equal(await runs(script), '1\n0\n\n')
})

test('a thread ends when it has had nothing to do for a while', async () => {
  const pool = new ThreadPool(url('double.mjs').href, 1)
  const times = [1, 0, 0, 0]
  const message = ['start', 1, 'a uuid', 'a run', 'a', ...times, 21]
  const run = { message, since: 0, host: { attachmentOf() {} } }
  let result
  const returnedText = (_, text) => {
    result = text
  }
  const logRules = { level: 0, areMirrored: false, haveOwnClock: false }
  pool.run(run, { logRules, returnedText })
  assert.equal(pool.size, 1)
  while (result === undefined) await new Promise(resolve => setImmediate(resolve))
  assert.equal(result, '42')
  while (pool.size > 0) await new Promise(resolve => setImmediate(resolve))
})

test('a thread that is out of memory fails its run, and the process goes on', async () => {
  const script = `${imports}
    const module = new URL('./__test__/contract/threads/does.mjs', import.meta.url)
    const tasker = new Tasker({ store: ':memory:', runners: { a: module } })
    await tasker.start()
    const run = async name => {
      const uuid = await tasker.addTask({ operation: 'a', data: { do: name } })
      return await tasker.waitForTaskOutputData(uuid)
    }
    await run('grow').catch(error => console.log(error.code, error.cause.code))
    console.log((await run('where')).runs)
    await tasker.close()
  `
  const flags = ['--max-old-space-size=64']
  const told = 'TASKER_THREAD_EXITED ERR_WORKER_OUT_OF_MEMORY\n1\n'
  assert.equal(await runs(script, { flags }), told)
})

test('a thread that is idle holds no process', async () => {
  const script = `${imports}
    const module = new URL('./__test__/contract/threads/double.mjs', import.meta.url)
    const tasker = new Tasker({ store: ':memory:', runners: { a: module }, keepAlive: 'never' })
    const held = setInterval(() => {}, 1000)
    await tasker.start()
    const uuid = await tasker.addTask({ operation: 'a', data: 4 })
    console.log(await tasker.waitForTaskOutputData(uuid))
    clearInterval(held)
  `
  assert.equal(await runs(script), '8\n')
})
