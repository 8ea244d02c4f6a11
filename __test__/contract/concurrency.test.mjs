import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gate, open, pending } from './open.mjs'

/**
 * A runner that counts how many of it run at once. The first runs wait until so many are there;
 * each lasts some turns of the event loop.
 */
function counting(expected) {
  const seen = { now: 0, most: 0 }
  const all = pending()
  const runner = async () => {
    seen.now += 1
    seen.most = Math.max(seen.most, seen.now)
    if (seen.now === expected) all.resolve()
    await all.promise
    for (let n = 0; n < 3; n += 1) await new Promise(resolve => setImmediate(resolve))
    seen.now -= 1
  }
  return { seen, runner }
}

async function finish(tasker, operations) {
  const uuids = await tasker.addTasks(operations.map(operation => ({ operation })))
  await tasker.start()
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
}

const times = (count, operation) => Array.from({ length: count }, () => operation)

test('at most `concurrency` tasks run at once in a tasker, and that many do', async t => {
  for (const concurrency of [1, 3, 7]) {
    const { seen, runner } = counting(concurrency)
    const tasker = open(t, { concurrency, runners: { a: runner, b: runner } })
    await finish(tasker, [...times(20, 'a'), ...times(20, 'b')])
    assert.equal(seen.most, concurrency)
  }
})

test('100 run at once if nothing else is said', async t => {
  const { seen, runner } = counting(100)
  const tasker = open(t, { runners: { a: runner } })
  await finish(tasker, times(250, 'a'))
  assert.equal(seen.most, 100)
})

test('an operation has a limit of its own, and it holds back no other (I-6)', async t => {
  const [a, b] = [counting(2), counting(6)]
  const tasker = open(t, { concurrency: 8 })
  tasker.assignRunner('a', a.runner, { concurrency: 2 })
  tasker.assignRunner('b', b.runner)
  await finish(tasker, [...times(30, 'a'), ...times(30, 'b')])
  assert.equal(a.seen.most, 2)
  assert.ok(b.seen.most >= 6 && b.seen.most <= 8, String(b.seen.most))
})

test('the next starts when one ends', async t => {
  const { runner, call, calls } = gate()
  const tasker = open(t)
  tasker.assignRunner('a', runner, { concurrency: 2 })
  await tasker.addTasks(times(3, 'a').map((operation, data) => ({ operation, data })))
  await tasker.start()
  const [first] = [await call(0), await call(1)]
  assert.equal(await tasker.countTasks({ status: 'running' }), 2)
  assert.equal(calls.length, 2)
  first.resolve()
  assert.equal((await call(2)).context.data, 2)
})

test('a runner assigned anew brings its own limit', async t => {
  const [old, fresh] = [counting(1), counting(4)]
  const tasker = open(t)
  tasker.assignRunner('a', old.runner, { concurrency: 1 })
  await finish(tasker, times(5, 'a'))
  await tasker.unassignRunner('a')
  tasker.assignRunner('a', fresh.runner, { concurrency: 4 })
  await finish(tasker, times(20, 'a'))
  assert.deepEqual([old.seen.most, fresh.seen.most], [1, 4])
})
