// Several processes on one file: what one does, the others know, and nobody is in another's way.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { file, gate, imports, next, open, rejection, runs } from '../contract/open.mjs'
import { opened, started } from './shared/far.mjs'
import { until } from './shared/until.mjs'

const add = (here, task) => here.tasker.addTask(task)
const end = ({ held }, [uuid, result]) => held.get(uuid).resolve(result)

test('a task added here runs there, and its result and its error come back (I-12)', async t => {
  const store = file()
  const far = await started(t, { store }, ['echo', 'throwing'])
  const near = open(t, { store })
  const uuid = await near.addTask({ operation: 'echo', data: { n: 1 } })
  assert.deepEqual(await near.waitForTaskOutputData(uuid), { pid: far.pid, data: { n: 1 } })
  const thrown = await rejection(
    near.waitForTaskOutputData(await near.addTask({ operation: 'throwing' })),
  )
  const { name, code, message } = thrown
  assert.deepEqual([name, code, message], ['RangeError', 'E_PAPER', 'out of paper'])

  const there = await far.do(add, { operation: 'here', data: 'from there' })
  near.assignRunner('here', ({ data }) => `${data}, ran here`)
  await near.start()
  const output = (here, uuid) => here.tasker.waitForTaskOutputData(uuid)
  assert.equal(await far.do(output, there), 'from there, ran here')
})

test('a process that replaces the conditions of another one is told', async t => {
  const store = file()
  const limits = limit => [{ scope: 'running', query: {}, limit }]
  const near = open(t, { store, conditions: limits(1) })
  await near.ready()
  const told = await runs(`${imports}
    import { once } from 'node:events'
    const conditions = ${JSON.stringify(limits(2))}
    const tasker = new Tasker({ store: ${JSON.stringify(store)}, conditions })
    const [{ code }] = await once(process, 'warning')
    await tasker.close()
    console.log(code)`)
  assert.equal(told.trim(), 'TASKER_CONDITIONS_REPLACED')
  const uuid = await near.addTask({ operation: 'a' })
  assert.deepEqual((await near.getTask(uuid)).concurrency, limits(2))
})

test('an abort of a waiting task is known everywhere, and it never runs', async t => {
  const store = file()
  const far = await opened(t, { store }, ['echo'])
  const near = open(t, { store })
  const uuid = await far.do(add, { operation: 'echo' })
  const waiting = rejection(far.do((here, uuid) => here.tasker.waitForTaskOutputData(uuid), uuid))
  assert.equal(await near.abortTask(uuid, 'not needed'), true)
  const { name, message } = await waiting
  assert.deepEqual([name, message], ['AbortError', 'not needed'])
  await far.start()
  const other = await near.addTask({ operation: 'echo' })
  await near.waitForTaskOutputData(other)
  assert.equal((await near.getTask(uuid)).startedAt, undefined)
  assert.equal(await far.do((here, uuid) => here.tasker.abortTask(uuid), uuid), false)
})

test('an abort fires the signal of the run in the other process, with its reason', async t => {
  const store = file()
  const far = await started(t, { store }, ['hold'])
  const near = open(t, { store })
  const uuid = await near.addTask({ operation: 'hold' })
  const waiting = rejection(near.waitForTaskOutputData(uuid))
  await far.says('run')
  class Cancelled extends Error {
    name = 'Cancelled'
  }
  const reason = new Cancelled('enough')
  assert.equal(await near.abortTask(uuid, reason), true)
  const [which, { name, message, cause }] = await far.says('signal')
  assert.equal(which, uuid)
  assert.deepEqual([name, message, cause], ['Cancelled', 'enough', undefined])
  await far.do(({ held }, uuid) => held.get(uuid).reject(new Error('stopped')), uuid)
  const error = await waiting
  assert.deepEqual([error.name, error.message], ['AbortError', 'enough'])
  const task = await near.getTask(uuid)
  assert.deepEqual([task.status, task.cause], ['aborted', 'user'])
  assert.deepEqual([task.abortReason.name, task.abortReason.message], ['Cancelled', 'enough'])
})

test('the abortSignal of addTask fires there too, with the cause signal', async t => {
  const store = file()
  const far = await started(t, { store }, ['hold'])
  const near = open(t, { store })
  const controller = new AbortController()
  const { signal: abortSignal } = controller
  const uuid = await near.addTask({ operation: 'hold', abortSignal })
  const waiting = rejection(near.waitForTaskOutputData(uuid))
  await far.says('run')
  controller.abort('shut the door')
  const [, { name, message, cause, code }] = await far.says('signal')
  const expected = ['AbortError', 'ABORT_ERR', 'shut the door', 'signal']
  assert.deepEqual([name, code, message, cause], expected)
  await far.do(({ held }, uuid) => held.get(uuid).reject(new Error('stopped')), uuid)
  assert.equal((await waiting).message, 'shut the door')
  assert.equal((await near.getTask(uuid)).cause, 'signal')
  await until(() => getEventListeners(abortSignal, 'abort').length === 0)
})

test('a signal is let go when its task ends elsewhere (F-25)', async t => {
  const store = file()
  const far = await opened(t, { store }, ['echo'])
  const near = open(t, { store })
  const { signal: abortSignal } = new AbortController()
  const task = { operation: 'echo', abortSignal }
  const uuids = await near.addTasks(Array.from({ length: 500 }, () => task))
  assert.equal(getEventListeners(abortSignal, 'abort').length, 1)
  await far.start()
  await Promise.all(uuids.map(uuid => near.waitForTaskOutputData(uuid)))
  await until(() => getEventListeners(abortSignal, 'abort').length === 0)
})

test('a priority given here is the order there', async t => {
  const store = file()
  const far = await opened(t, { store, concurrency: 1 }, ['hold'])
  const near = open(t, { store })
  const uuids = await near.addTasks(Array.from({ length: 3 }, () => ({ operation: 'hold' })))
  const [one, two, three] = uuids
  const prioritize = (here, given) => here.tasker.prioritizeTask(...given)
  assert.equal(await near.prioritizeTask(three, 1), true)
  await far.start()
  assert.deepEqual(await far.says('run'), [three, 1])
  assert.equal(await near.prioritizeTask(three, 2), false)
  assert.equal(await near.prioritizeTask(two, 1), true)
  assert.equal(await far.do(prioritize, [one, 2]), true)
  await far.do(end, [three])
  assert.deepEqual(await far.says('run'), [one, 1])
  await far.do(end, [one])
  assert.deepEqual(await far.says('run'), [two, 1])
})

test('every process counts and finds what all acknowledged', async t => {
  const store = file()
  const near = open(t, { store })
  const fars = await Promise.all([1, 2].map(() => opened(t, { store })))
  const addSome = async ({ tasker }, n) => {
    const data = Array.from({ length: 20 }, (_, i) => n * 100 + i)
    return Promise.all(data.map(data => tasker.addTask({ operation: 'a', data })))
  }
  const added = await Promise.all([
    addSome({ tasker: near }, 0),
    ...fars.map((far, i) => far.do(addSome, i + 1)),
  ])
  const uuids = added.flat().sort()
  assert.equal(new Set(uuids).size, 60)
  const look = async ({ tasker }) => {
    const found = await tasker.findTasks({ operation: 'a' })
    const some = await tasker.countTasks({ data: { $gte: 100 } })
    return [await tasker.countTasks(), some, found.map(({ uuid }) => uuid).sort()]
  }
  const views = await Promise.all([look({ tasker: near }), ...fars.map(far => far.do(look))])
  for (const view of views) assert.deepEqual(view, [60, 40, uuids])
})

test('two handles of one process share a file as two processes do', async t => {
  const store = file()
  const { runner, call } = gate()
  const [one, two] = [open(t, { store, runners: { a: runner } }), open(t, { store })]
  await one.start()
  const uuid = await two.addTask({ operation: 'a' })
  const waiting = two.waitForTaskOutputData(uuid)
  const { context, resolve } = await call(0)
  const heard = new Promise(hear => context.abortSignal.addEventListener('abort', hear))
  assert.equal(await two.abortTask(uuid, 'enough'), true)
  await heard
  assert.equal(context.abortSignal.reason.message, 'enough')
  resolve('all the same')
  assert.equal(await waiting, 'all the same')
  await one.close()
  assert.equal(await two.countTasks({ status: 'done' }), 1)
  await two.addTask({ operation: 'a' })
})

const count = ({ tasker }, status) => tasker.countTasks({ status })

test('a close of one lets the others work, and the last leaves only the database', async t => {
  const store = file()
  const fars = await Promise.all([1, 2, 3].map(() => started(t, { store }, ['echo'])))
  const near = open(t, { store })
  const feed = async n => {
    const tasks = Array.from({ length: 50 }, () => ({ operation: 'echo' }))
    const uuids = await near.addTasks(tasks)
    const results = await Promise.all(uuids.map(uuid => near.waitForTaskOutputData(uuid)))
    const ran = new Set(results.map(({ pid }) => pid))
    const living = fars.slice(n).map(({ pid }) => pid)
    assert.ok([...ran].every(pid => living.includes(pid)))
  }
  await feed(0)
  await fars[0].close()
  await feed(1)
  // Closing and working at the same time.
  await Promise.all([fars[1].close(), feed(1).catch(() => feed(2))])
  await feed(2)
  assert.equal(await fars[2].do(count, 'done'), await near.countTasks())
  await near.close()
  await fars[2].close()
  assert.deepEqual(readdirSync(dirname(store)), ['tasks.db'])
})

test('nobody is ever told that the file is busy', async t => {
  const store = file()
  const hammer = async ({ tasker }, length) => {
    const faults = []
    tasker.on('error', error => faults.push(error.code))
    const one = async (_, n) => {
      const uuid = await tasker.addTask({ operation: 'echo', data: n })
      await tasker.prioritizeTask(uuid, n)
      await tasker.abortTask(uuid)
      await tasker.findTask({ uuid })
      await tasker.waitForTaskOutputData(uuid).catch(error => {
        if (error.name !== 'AbortError') faults.push(error.code)
      })
    }
    await Promise.all(Array.from({ length }, one)).catch(error => faults.push(error.code))
    return faults
  }
  const fars = await Promise.all([1, 2, 3, 4].map(() => started(t, { store }, ['echo'])))
  const faults = await Promise.all(fars.map(far => far.do(hammer, 200)))
  assert.deepEqual(faults, [[], [], [], []])
  for (const far of fars) assert.deepEqual(far.warnings, [])
})

test('an exclusive handle is alone, whoever comes first', async t => {
  const store = file()
  const near = open(t, { store, exclusive: true })
  await near.ready()
  const refusal = await rejection(opened(t, { store }))
  assert.deepEqual([refusal.code, refusal.pid], ['TASKER_LOCKED', process.pid])
  const beside = open(t, { store })
  assert.equal((await rejection(beside.ready())).code, 'TASKER_LOCKED')
  await near.close()
  const far = await opened(t, { store })
  const late = await rejection(open(t, { store, exclusive: true }).ready())
  assert.deepEqual([late.code, late.pid], ['TASKER_LOCKED', far.pid])
  await open(t, { store }).ready()
})

test('a producer ends by itself while others run what it added', async t => {
  const store = file()
  const far = await started(t, { store }, ['hold'])
  const script = `${imports}
    const tasker = new Tasker({ store: ${JSON.stringify(store)} })
    console.log(await tasker.addTask({ operation: 'hold' }))
  `
  const uuid = (await runs(script)).trim()
  assert.deepEqual(await far.says('run'), [uuid, 1])
  await far.do(end, [uuid, 'late'])
  assert.equal(await open(t, { store }).waitForTaskOutputData(uuid), 'late')
})

test('a producer that waits for a result stays until another process has it', async t => {
  const store = file()
  const far = await opened(t, { store }, ['echo'])
  const script = `${imports}
    const tasker = new Tasker({ store: ${JSON.stringify(store)} })
    const uuid = await tasker.addTask({ operation: 'echo', data: 7 })
    console.log((await tasker.waitForTaskOutputData(uuid)).data)
  `
  const output = runs(script)
  const near = open(t, { store, events: 'all' })
  const heard = next(near, 'task.added')
  await near.ready()
  if ((await near.countTasks()) === 0) await heard
  await far.start()
  assert.equal(await output, '7\n')
})

const words = 'added prioritized run done failed aborted ended'.split(' ')

/** What a tasker is told of tasks, as `[event, uuid, …]` in order. */
function heardBy(tasker) {
  const heard = []
  for (const word of words) {
    tasker.on(`task.${word}`, (uuid, ...rest) => heard.push([word, uuid, ...rest]))
  }
  return heard
}

/** Has a process add tasks that are done, fail and are aborted; their uuids by how they end. */
async function workOf(far, length) {
  return far.do(async ({ tasker }, length) => {
    const all = operation => Array.from({ length }, (_, n) => ({ operation, data: n }))
    const done = await tasker.addTasks(all('echo'))
    const failed = await tasker.addTasks(all('throwing'))
    const aborted = await tasker.addTasks(all('nobody'))
    for (const uuid of aborted) await tasker.prioritizeTask(uuid, 7)
    for (const uuid of aborted) await tasker.abortTask(uuid, 'enough')
    const ends = [...done, ...failed].map(uuid => tasker.waitForTaskOutputData(uuid))
    await Promise.allSettled(ends)
    return { done, failed, aborted }
  }, length)
}

test("with events 'all' each event of others comes once, in the order of its task", async t => {
  const store = file()
  const far = await started(t, { store }, ['echo', 'throwing'])
  const near = open(t, { store, events: 'all' })
  const heard = heardBy(near)
  const own = new Promise(resolve => near.on('task.ended', uuid => uuid === last && resolve()))
  let last
  await near.ready()
  const { done, failed, aborted } = await workOf(far, 100)
  last = await far.do(add, { operation: 'echo' })
  await own
  const of = uuid => heard.filter(([, other]) => other === uuid)
  const order = uuid => of(uuid).map(([word]) => word)
  for (const uuid of done) assert.deepEqual(order(uuid), ['added', 'run', 'done', 'ended'])
  for (const uuid of failed) assert.deepEqual(order(uuid), ['added', 'run', 'failed', 'ended'])
  for (const uuid of aborted) {
    assert.deepEqual(order(uuid), ['added', 'prioritized', 'aborted', 'ended'])
  }
  const [, , result] = of(done[3])[2]
  assert.deepEqual(result, { pid: far.pid, data: 3 })
  const [, , error] = of(failed[0])[2]
  assert.deepEqual([error.name, error.code], ['RangeError', 'E_PAPER'])
  assert.deepEqual(of(aborted[0])[1].slice(2), [7])
  const [, , reason] = of(aborted[0])[2]
  assert.deepEqual([reason.name, reason.message, reason.cause], ['AbortError', 'enough', 'user'])
})

test("with events 'own' nothing of others is told, and all that one does oneself", async t => {
  const store = file()
  const far = await started(t, { store }, ['echo', 'throwing'])
  const near = open(t, { store })
  const heard = heardBy(near)
  await near.ready()
  await workOf(far, 20)
  // Its ends are known here, for the sake of the signal, and told to nobody.
  const { signal: abortSignal } = new AbortController()
  const uuid = await near.addTask({ operation: 'echo', abortSignal })
  await near.waitForTaskOutputData(uuid)
  await until(() => getEventListeners(abortSignal, 'abort').length === 0)
  assert.deepEqual(heard, [['added', uuid]])
})

test("with events 'all' what one does oneself is told once too", async t => {
  const store = file()
  const far = await opened(t, { store })
  const near = open(t, { store, events: 'all', runners: { a: () => 1 } })
  const heard = heardBy(near)
  await near.start()
  const uuid = await near.addTask({ operation: 'a' })
  await near.waitForTaskOutputData(uuid)
  const there = await far.do(add, { operation: 'a' })
  await near.waitForTaskOutputData(there)
  const order = which => heard.filter(([, other]) => other === which).map(([word]) => word)
  await until(() => order(there).length === 4)
  assert.deepEqual(order(uuid), ['added', 'run', 'done', 'ended'])
  assert.deepEqual(order(there).toSorted(), ['added', 'done', 'ended', 'run'])
})

test('a listener that blocks the loop misses nothing and fills no memory', async t => {
  const store = file()
  const far = await opened(t, { store })
  const listening = await opened(t, { store, events: 'all' })
  const listen = ({ tasker, say }) => {
    const { readSync } = process.getBuiltinModule('node:fs')
    const heard = new Set()
    let [told, rssBefore] = [0, process.memoryUsage.rss()]
    tasker.on('task.added', uuid => {
      told += 1
      heard.add(uuid)
      if (told === 1) {
        say('blocks')
        readSync(0, Buffer.alloc(1))
        say('unblocked', process.memoryUsage.rss() - rssBefore)
      }
      if (heard.size === 60_000) say('all', told)
    })
  }
  await listening.do(listen)
  const fill = async ({ tasker }) => {
    const data = 'x'.repeat(1_000)
    const some = Array.from({ length: 1_000 }, () => ({ operation: 'a', data }))
    for (let n = 0; n < 60; n += 1) await tasker.addTasks(some)
  }
  const filled = far.do(fill)
  await listening.says('blocks')
  await filled
  listening.child.stdin.write('!')
  const [bytes] = await listening.says('unblocked')
  assert.deepEqual(await listening.says('all'), [60_000], 'each once')
  assert.deepEqual(listening.warnings, [])
  t.diagnostic(`memory grew by ${(bytes / 2 ** 20).toFixed(0)} MB while blocked`)
  assert.ok(bytes < 64 * 2 ** 20)
})
