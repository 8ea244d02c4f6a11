// More at once than anyone should ask for: it all settles, and memory stays bounded (F-26).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imports, runs } from '../contract/open.mjs'

const measure = `
  const begin = process.memoryUsage().rss
  let peak = begin
  const look = () => { peak = Math.max(peak, process.memoryUsage().rss) }
  const report = (...words) => console.log(JSON.stringify([...words, (peak - begin) / 2 ** 20]))
`

test('200,000 adds in one tick all settle, within 700 MiB (F-26)', async t => {
  const script = `${imports}${measure}
    const tasker = new Tasker({ store: ':memory:' })
    const adds = []
    for (let n = 0; n < 200_000; n += 1) adds.push(tasker.addTask({ operation: 'a', data: n }))
    look()
    const uuids = new Set(await Promise.all(adds))
    look()
    report(uuids.size, await tasker.countTasks())
    await tasker.close()
  `
  const [distinct, count, megabytes] = JSON.parse(await runs(script))
  t.diagnostic(`${Math.round(megabytes)} MiB more`)
  assert.deepEqual([distinct, count], [200_000, 200_000])
  assert.ok(megabytes < 700, `${megabytes} MiB`)
})

test('100,000 waits of ten tasks all settle, within 500 MiB (F-26)', async t => {
  const script = `${imports}${measure}
    const tasker = new Tasker({ store: ':memory:', runners: { a: ({ data }) => data } })
    const definitions = Array.from({ length: 10 }, (_, data) => ({ operation: 'a', data }))
    const uuids = await tasker.addTasks(definitions)
    const waits = []
    for (let n = 0; n < 100_000; n += 1) waits.push(tasker.waitForTaskOutputData(uuids[n % 10]))
    look()
    await tasker.start()
    const sum = (await Promise.all(waits)).reduce((a, b) => a + b)
    look()
    report(sum)
    await tasker.close()
  `
  const [sum, megabytes] = JSON.parse(await runs(script))
  t.diagnostic(`${Math.round(megabytes)} MiB more`)
  assert.equal(sum, 450_000)
  assert.ok(megabytes < 500, `${megabytes} MiB`)
})

test('close answers 100,000 adds and waits that are under way (F-26, I-14)', async () => {
  const script = `${imports}
    const tasker = new Tasker({ store: ':memory:' })
    const uuid = await tasker.addTask({ operation: 'a' })
    const calls = []
    for (let n = 0; n < 50_000; n += 1) {
      calls.push(tasker.addTask({ operation: 'a' }), tasker.waitForTaskOutputData(uuid))
    }
    const closing = tasker.close()
    const codes = new Set()
    for (const { reason } of await Promise.allSettled(calls)) codes.add(reason?.code)
    await closing
    console.log([...codes].map(String).sort().join())
  `
  assert.equal(await runs(script), 'TASKER_CLOSED,undefined\n')
})
