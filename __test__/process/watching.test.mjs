// A watch while the processes that change tasks are killed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, open } from '../contract/open.mjs'
import { started } from './shared/far.mjs'

const TASKS = 120
const KILLS = 4

/** Which states may follow each other in a watch of all tasks. */
const NEXT = {
  undefined: ['ready', 'delayed', 'running'],
  ready: ['running', 'aborted', 'ready'],
  delayed: ['ready', 'running', 'aborted', 'delayed'],
  running: ['running', 'done', 'failed', 'aborted', 'ready', 'delayed'],
  done: [],
  failed: [],
  aborted: [],
}

/** Runners that rest, so that they are killed in the middle, and some that fail at first. */
async function work({ runners, tasker }, tasks) {
  runners.slow = async ({ attempt, progress }) => {
    progress(attempt, 2)
    for (let n = 0; n < 5; n++) await new Promise(resolve => setImmediate(resolve))
    if (attempt === 1) throw new Error('again')
    return attempt
  }
  tasker.assignRunner('slow', runners.slow)
  for (let n = 0; n < tasks; n += 1) {
    await tasker.addTask({ operation: 'slow', retry: { attempts: 4 }, data: n })
  }
}

test('each change comes once and in order while processes are killed (I-11)', async t => {
  const store = file()
  const tasker = open(t, { store })
  const states = new Map()
  const positions = new Set()
  const ended = new Set()
  let position
  /** Goes on where the last one was left. */
  const watch = async count => {
    const options = position === undefined ? {} : { from: position }
    for await (const entry of tasker.watch({ operation: 'slow' }, options)) {
      const { uuid, state, change } = entry
      assert.notEqual(change, 'gap')
      assert.ok(!positions.has(entry.position), `${entry.position} comes twice`)
      positions.add(entry.position)
      position = entry.position
      const before = states.get(uuid)
      assert.ok(NEXT[before].includes(state), `${uuid} was ${before} and is ${state}`)
      assert.equal(change === 'entered', before === undefined)
      states.set(uuid, state)
      if (change === 'ended') ended.add(uuid)
      if (count !== undefined && positions.size >= count) return
      if (count === undefined && ended.size === states.size && states.size === total) return
    }
  }
  let total = Number.POSITIVE_INFINITY
  for (let kill = 0; kill < KILLS; kill++) {
    const fars = await Promise.all([0, 1].map(() => started(t, { store, concurrency: 2 }, [])))
    const adding = fars.map(far => far.do(work, TASKS / 4).catch(() => {}))
    await watch(positions.size + 40)
    for (const far of fars) far.kill('SIGKILL')
    await Promise.all(fars.map(far => far.gone))
    await Promise.all(adding)
  }
  const last = await started(t, { store, concurrency: 10 }, [])
  await last.do(work, 1)
  total = await tasker.countTasks({ operation: 'slow' })
  await watch()
  const found = await tasker.findTasks({ operation: 'slow' })
  assert.deepEqual(
    new Map(found.map(({ uuid, state }) => [uuid, state])),
    new Map([...states].sort(([one], [other]) => order(found, one) - order(found, other))),
  )
})

const order = (found, uuid) => found.findIndex(task => task.uuid === uuid)
