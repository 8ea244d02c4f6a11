// Processes on one file that die, are stopped, idle or are threads: the others go on, and know.

import assert from 'node:assert/strict'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { file, folder, open } from '../contract/open.mjs'
import { opened, started } from './shared/far.mjs'

const RECOVERY_MS_MAX = 1_000
const STOP_MS = 6_000
const IDLE_MS = 2_000

test('the task of a process that was killed runs in another within a second (G-7)', async t => {
  const store = file()
  const near = open(t, { store })
  const times = []
  for (let n = 0; n < 5; n += 1) {
    const doomed = await started(t, { store }, ['hold'])
    const heir = await opened(t, { store }, ['hold'])
    const uuid = await near.addTask({ operation: 'hold' })
    assert.deepEqual(await doomed.says('run'), [uuid, 1])
    await heir.start()
    const begin = performance.now()
    await doomed.kill('SIGKILL')
    assert.deepEqual(await heir.says('run'), [uuid, 2])
    times.push(performance.now() - begin)
    await heir.do(({ held }, uuid) => held.get(uuid).resolve('kept'), uuid)
    assert.equal(await near.waitForTaskOutputData(uuid), 'kept')
    const { attempts } = await near.getTask(uuid)
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ['lost', 'done'],
    )
    await heir.close()
  }
  const shown = times.map(ms => ms.toFixed(0)).join(', ')
  t.diagnostic(`${shown} ms from the kill to the run in another process`)
  assert.ok(Math.max(...times) <= RECOVERY_MS_MAX, shown)
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

const seconds = STOP_MS / 1_000
test(`a process that is stopped for ${seconds} s loses no run to others`, async t => {
  const store = file()
  const far = await started(t, { store, concurrency: 3 }, ['hold'])
  const near = open(t, { store, runners: { quick: ({ data }) => data, hold: () => 'stolen' } })
  const uuids = await near.addTasks(Array.from({ length: 3 }, () => ({ operation: 'hold' })))
  for (let n = 0; n < 3; n += 1) await far.says('run')
  await near.start()
  far.child.kill('SIGSTOP')
  let worked = 0
  for (const begin = performance.now(); performance.now() - begin < STOP_MS; worked += 1) {
    const uuid = await near.addTask({ operation: 'quick', data: worked })
    assert.equal(await near.waitForTaskOutputData(uuid), worked)
  }
  t.diagnostic(`${worked} tasks were run meanwhile`)
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
  const work = async ({ tasker }, log) => {
    const { appendFileSync } = process.getBuiltinModule('node:fs')
    const runner = async () => {
      appendFileSync(log, '+')
      for (let n = 0; n < 20; n += 1) await new Promise(resolve => setImmediate(resolve))
      appendFileSync(log, '-')
      return process.pid
    }
    tasker.assignRunner('limited', runner, { concurrency: 4 })
    await tasker.start()
  }
  const near = open(t, { store })
  const tasks = Array.from({ length: 1_000 }, () => ({ operation: 'limited' }))
  const uuids = await near.addTasks(tasks)
  await Promise.all(fars.map(far => far.do(work, log)))
  const ran = await Promise.all(uuids.map(uuid => near.waitForTaskOutputData(uuid)))
  const share = fars.map(({ pid }) => ran.filter(other => other === pid).length)
  t.diagnostic(`${share.join(', ')} runs; ${mostAtOnce(log)} at once at most`)
  assert.equal(mostAtOnce(log), 4)
  assert.ok(share.filter(runs => runs > 0).length >= 2, 'nothing was proved')
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

test('two processes that have nothing to do use no CPU', async t => {
  const store = file()
  const fars = await Promise.all([1, 2].map(() => started(t, { store }, ['echo'])))
  const cpu = () => process.cpuUsage()
  const usage = () => Promise.all(fars.map(far => far.do(cpu)))
  await pause(500)
  const before = await usage()
  await pause(IDLE_MS)
  const after = await usage()
  const shares = after.map(({ user, system }, n) => {
    const us = user - before[n].user + system - before[n].system
    return us / 1_000 / IDLE_MS
  })
  const shown = shares.map(share => `${(share * 100).toFixed(2)} %`).join(' and ')
  t.diagnostic(`${shown} of one core`)
  assert.ok(Math.max(...shares) < 0.02, shown)
})
