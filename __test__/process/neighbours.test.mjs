// Processes on one file that die, are stopped or are threads: the others go on, and know. How soon
// is what `npm run bench:recovery` prints.

import assert from 'node:assert/strict'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { file, folder, open, pending } from '../contract/open.mjs'
import { opened, started } from './shared/far.mjs'

const nothing = () => {}

test('the task of a process that was killed runs in another (G-7)', async t => {
  const store = file()
  const near = open(t, { store })
  for (let n = 0; n < 5; n += 1) {
    const doomed = await started(t, { store }, ['hold'])
    const heir = await opened(t, { store }, ['hold'])
    const uuid = await near.addTask({ operation: 'hold' })
    assert.deepEqual(await doomed.says('run'), [uuid, 1])
    await heir.start()
    await doomed.kill('SIGKILL')
    assert.deepEqual(await heir.says('run'), [uuid, 2])
    await heir.do(({ held }, uuid) => held.get(uuid).resolve('kept'), uuid)
    assert.equal(await near.waitForTaskOutputData(uuid), 'kept')
    const { attempts } = await near.getTask(uuid)
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ['lost', 'done'],
    )
    await heir.close()
  }
})

test('an abort outlives the process that ran the task', async t => {
  const store = file()
  const near = open(t, { store, runners: { hold: () => assert.fail('it was aborted') } })
  await near.start()
  const doomed = await started(t, { store }, ['hold'])
  await near.unassignRunner('hold')
  const uuid = await near.addTask({ operation: 'hold' })
  await doomed.says('run')
  assert.equal(await near.abortTask(uuid, 'enough'), true)
  near.assignRunner('hold', () => assert.fail('it was aborted'))
  await doomed.kill('SIGKILL')
  const aborted = { name: 'AbortError', message: 'enough' }
  await assert.rejects(near.waitForTaskOutputData(uuid), aborted)
  assert.equal((await near.getTask(uuid)).cause, 'user')
})

/** Stops a process outside of a write: in the middle of one it would hold up all others (F-4). */
async function standStill(far, near) {
  for (;;) {
    far.child.kill('SIGSTOP')
    const error = await near.addTask({ operation: 'nobody-does' }).then(nothing, error => error)
    if (!error) return
    assert.equal(error.code, 'TASKER_BUSY')
    far.child.kill('SIGCONT')
  }
}

test('a stopped process loses no run to others, who take those of the dead (F-4)', async t => {
  const store = file()
  const far = await started(t, { store, concurrency: 3 }, ['hold'])
  const near = open(t, { store, runners: { quick: ({ data }) => data, hold: () => 'stolen' } })
  const uuids = await near.addTasks(Array.from({ length: 3 }, () => ({ operation: 'hold' })))
  for (let n = 0; n < 3; n += 1) await far.says('run')
  await near.start()
  await standStill(far, near)
  for (let n = 0; n < 5; n += 1) {
    // That this one looks for the dead is seen by what it takes from a third.
    const doomed = await started(t, { store }, ['last'])
    const last = await near.addTask({ operation: 'last' })
    await doomed.says('run')
    near.assignRunner('last', () => 'inherited')
    await doomed.kill('SIGKILL')
    assert.equal(await near.waitForTaskOutputData(last), 'inherited')
    await near.unassignRunner('last')
    const quick = await near.addTask({ operation: 'quick', data: n })
    assert.equal(await near.waitForTaskOutputData(quick), n)
  }
  assert.equal(await near.countTasks({ status: 'running' }), 3)
  far.child.kill('SIGCONT')
  const finish = ({ held }) => {
    for (const [uuid, { resolve }] of held) resolve(uuid)
  }
  await far.do(finish)
  for (const uuid of uuids) {
    assert.equal(await near.waitForTaskOutputData(uuid), uuid)
    assert.equal((await near.getTask(uuid)).attempt, 1)
  }
})

/** How many runs were live at most, of what each run noted at its begin and end. */
function mostAtOnce(log) {
  let [live, most] = [0, 0]
  for (const mark of readFileSync(log, 'utf8').matchAll(/[+-]/g)) {
    live += mark[0] === '+' ? 1 : -1
    most = Math.max(most, live)
  }
  assert.equal(live, 0)
  return most
}

test('the limit of an operation holds over three processes (I-6)', async t => {
  const place = folder()
  const [store, log] = [join(place, 'tasks.db'), join(place, 'runs.log')]
  appendFileSync(log, '')
  // None can have the limit for itself.
  const fars = await Promise.all([1, 2, 3].map(() => opened(t, { store, concurrency: 2 })))
  const work = async ({ tasker, say, letGo }, log) => {
    const { appendFileSync } = process.getBuiltinModule('node:fs')
    const runner = async () => {
      appendFileSync(log, '+')
      say('run')
      await letGo.promise
      for (let n = 0; n < 20; n += 1) await new Promise(resolve => setImmediate(resolve))
      appendFileSync(log, '-')
    }
    tasker.assignRunner('limited', runner, { concurrency: 4 })
    await tasker.start()
  }
  const near = open(t, { store })
  const tasks = Array.from({ length: 1_000 }, () => ({ operation: 'limited' }))
  const uuids = await near.addTasks(tasks)
  // The first four stay until all four are there, wherever they run.
  let begun = 0
  const four = pending()
  const count = far => far.says('run').then(() => (++begun === 4 ? four.resolve() : count(far)))
  for (const far of fars) count(far).catch(four.reject)
  await Promise.all(fars.map(far => far.do(work, log)))
  await four.promise
  assert.equal(await near.countTasks({ status: 'running' }), 4)
  await Promise.all(fars.map(far => far.do(({ letGo }) => letGo.resolve())))
  await Promise.all(uuids.map(uuid => near.waitForTaskOutputData(uuid)))
  assert.equal(mostAtOnce(log), 4)
})

test('two threads on one file are two neighbours', async t => {
  const store = file()
  const near = open(t, { store })
  await near.ready()
  const index = JSON.stringify(new URL('../../index.mjs', import.meta.url).href)
  const script = `
    const { parentPort, threadId } = require('node:worker_threads')
    import(${index}).then(async ({ Tasker }) => {
      const tasker = new Tasker({ store: ${JSON.stringify(store)}, concurrency: 4 })
      tasker.assignRunner('a', () => new Promise(done => setImmediate(done, threadId)))
      await tasker.start()
      parentPort.postMessage('started')
      parentPort.once('message', () => tasker.close())
    })
  `
  const threads = [1, 2].map(() => new Worker(script, { eval: true }))
  await Promise.all(threads.map(each => new Promise(resolve => each.once('message', resolve))))
  const tasks = Array.from({ length: 400 }, () => ({ operation: 'a' }))
  const uuids = await near.addTasks(tasks)
  const ran = await Promise.all(uuids.map(uuid => near.waitForTaskOutputData(uuid)))
  const ids = threads.map(({ threadId }) => threadId)
  assert.ok(ran.every(id => ids.includes(id)))
  // One goes in the middle of its work, one in order.
  const more = await near.addTasks(tasks)
  await threads[0].terminate()
  await Promise.all(more.map(uuid => near.waitForTaskOutputData(uuid)))
  const gone = new Promise(resolve => threads[1].once('exit', resolve))
  threads[1].postMessage('close')
  await gone
  assert.equal(await near.countTasks({ status: 'done' }), 800)
})
