// A realm of a test tool: other built-ins, a copy of `process`, globals that were faked before.

import assert from 'node:assert/strict'
import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, rejection } from '../contract/open.mjs'
import { loadInRealm } from './realm.mjs'

const nothing = () => ({})
const FAKES = Object.fromEntries(
  ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate']
    .concat('queueMicrotask')
    .map(name => [name, nothing]),
)

test('globals that were faked before the import reach nothing in here (I-15)', async t => {
  const { Tasker } = loadInRealm({ ...FAKES, performance: { now: nothing } }, { nextTick: nothing })
  const tasker = new Tasker({ store: ':memory:', concurrency: 3000 })
  t.after(() => tasker.close())
  tasker.assignRunner('echo', ({ data }) => data)
  await tasker.start()
  const uuids = await tasker.addTasks(
    Array.from({ length: 2000 }, (_, data) => ({ operation: 'echo', data })),
  )
  const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.equal(results.length, 2000)
})

test('a fault of the engine is a warning there too (B-13)', async () => {
  const warnings = []
  const emitWarning = (warning, options) => warnings.push([warning, options])
  const { Tasker } = loadInRealm({}, { emitWarning })
  const place = join(folder(), 'data')
  mkdirSync(place)
  const tasker = new Tasker(join(place, 'tasks.db'))
  await tasker.ready()
  // Not removed: the engine may make a file in it meanwhile.
  renameSync(place, `${place}-gone`)
  const { code } = await rejection(tasker.addTask({ operation: 'a' }))
  await tasker.close().catch(() => {})
  const [[text, options]] = warnings
  assert.equal(typeof text, 'string')
  assert.equal(options.code, code)
  assert.equal(options.type, 'TaskerError')
})
