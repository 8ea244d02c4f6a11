// A rate limit over several processes on one file, some of which die: no window ever has more
// starts than it may. How much of a limit is used is what `npm run bench:rates` prints.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, open } from '../contract/open.mjs'
import { started } from './shared/far.mjs'

const PER = 1_000

/** The starts of `uuids` that no process lost, in order. */
async function startsOf(tasker, uuids) {
  const tasks = await Promise.all(uuids.map(uuid => tasker.getTask(uuid)))
  return tasks.flatMap(({ attempts }) => attempts.map(({ startedAt }) => +startedAt)).sort(byTime)
}

const byTime = (a, b) => a - b

/** Looks at every window that begins and ends with a start. */
function assertKept(starts, { limit, burst }, value) {
  starts.forEach((from, i) => {
    starts.slice(i).forEach((to, n) => {
      // A token that comes within a millisecond may be taken at its beginning.
      const most = burst + (limit * (to - from + 1)) / PER
      assert.ok(n + 1 <= most, `${value}: ${n + 1} starts in ${to - from} ms`)
    })
  })
}

test('three processes take from the same tokens, also when one dies', async t => {
  const store = file()
  const near = open(t, { store })
  const limit = { limit: 100, per: PER, burst: 5 }
  await near.defineOperation('echo', { rateLimit: limit })
  const calls = Array.from({ length: 200 }, () => ({ operation: 'echo', data: 0 }))
  const uuids = await near.addTasks(calls)
  const workers = await Promise.all([1, 2, 3].map(() => started(t, { store }, ['echo'])))
  await near.waitForTaskOutputData(uuids[60])
  await workers[0].kill('SIGKILL')
  const heir = await started(t, { store }, ['echo'])
  const results = await Promise.all(uuids.map(uuid => near.waitForTaskOutputData(uuid)))
  assert.ok(new Set(results.map(({ pid }) => pid)).size > 1, 'one process did it all')
  assertKept(await startsOf(near, uuids), limit, 'all')
  await Promise.all([...workers.slice(1), heir].map(worker => worker.close()))
})

test('… for each value of a path by itself', async t => {
  const store = file()
  const near = open(t, { store })
  const limit = { limit: 20, per: PER, burst: 2 }
  await near.defineOperation('echo', { rateLimit: { ...limit, by: 'data' } })
  const values = Array.from({ length: 120 }, (_, i) => i % 5)
  const uuids = await near.addTasks(values.map(data => ({ operation: 'echo', data })))
  const workers = await Promise.all([1, 2, 3].map(() => started(t, { store }, ['echo'])))
  await Promise.all(uuids.map(uuid => near.waitForTaskOutputData(uuid)))
  for (const value of new Set(values)) {
    const own = uuids.filter((_, i) => values[i] === value)
    const starts = await startsOf(near, own)
    assert.equal(starts.length, own.length)
    assertKept(starts, limit, value)
  }
  await Promise.all(workers.map(worker => worker.close()))
})
