// What the native side cannot read harms nothing else: a record is left out, an outcome fails its
// own run, and the tasker goes on (I-15).

import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, gate, open, root } from '../contract/open.mjs'

const addon = join(
  root,
  readdirSync(root).find(name => name.endsWith('.node')),
)
const place = join(folder(), 'seen.cjs')
writeFileSync(
  place,
  `const { open, ...rest } = require(${JSON.stringify(addon)})
  Object.assign(exports, rest)
  exports.open = (options, notifier) => (globalThis.native = open(options, notifier))`,
)
process.env.TASKER_NATIVE = place

/** A tasker with a run in slot 1 that does not end by itself, and its native side. */
async function running(t) {
  const tasker = open(t, { store: ':memory:' })
  const { runner, call } = gate()
  tasker.assignRunner('a', runner)
  tasker.assignRunner('b', () => 'well')
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a' })
  await call(0)
  return { tasker, uuid, native: globalThis.native }
}

/** It still does its work. */
async function assertSound(tasker) {
  const uuid = await tasker.addTask({ operation: 'b' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'well')
}

test('a record that cannot be read is left out, the others of its batch are stored', async t => {
  const { tasker, uuid, native } = await running(t)
  const before = Date.now()
  const line = (at, text) => `[1,"log","info",${at},${JSON.stringify(text)}]`
  const records = [
    line(5, 'one'),
    line('NaN', 'no JSON'),
    'nonsense',
    '[1,"x"]',
    '',
    line(1.5, 'a fraction'),
    line('null', 'no time'),
    line(9e99, 'no date'),
    '[1,"progress",3,null]',
  ]
  native.record(records.join('\n'))
  await assertSound(tasker)
  const { logs, progress } = await tasker.getTask(uuid, { withLogs: true })
  assert.deepEqual(
    logs.map(({ message }) => message),
    ['one', 'a fraction', 'no time', 'no date'],
  )
  assert.deepEqual(
    logs.slice(0, 2).map(({ at }) => at.getTime()),
    [5, 1],
  )
  // The time of the turn in which they were stored.
  for (const { at } of logs.slice(2)) assert.ok(at >= before && at <= Date.now(), at.toISOString())
  assert.equal(progress.current, 3)
})

test('an outcome that cannot be read fails its run, and no other', async t => {
  const { tasker, uuid, native } = await running(t)
  native.complete(['nonsense', '[99,"returned"]', '[1,"returned",{"half":'].join('\n'))
  await assert.rejects(tasker.waitForTaskOutputData(uuid))
  const { status, cause, error } = await tasker.getTask(uuid)
  assert.deepEqual([status, cause, error.code], ['failed', 'unstorable', 'TASKER_BUG'])
  await assertSound(tasker)
})

test('a definition that cannot be read refuses its own call', async t => {
  const tasker = open(t, { store: ':memory:' })
  await tasker.addTask({ operation: 'b' })
  globalThis.native.add(1_000_000, '{"operation":"b"}\n{"operation":\n{"operation":"b"}')
  await tasker.addTask({ operation: 'b' })
  assert.equal(await tasker.countTasks(), 4)
})
