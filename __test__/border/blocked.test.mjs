// A loop that is blocked: the engine notices, keeps its runs, and says so once the loop is free.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imports, runs } from '../contract/open.mjs'

const block = `
  const block = ms => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  const warnings = []
  process.on('warning', ({ code, message }) => warnings.push([code, message]))
`

test('a loop blocked for over ten seconds is a warning; the run goes on (F-22, I-5)', async () => {
  const script = `${imports}${block}
    const tasker = new Tasker(':memory:')
    tasker.assignRunner('spin', async ({ data }) => {
      await null
      block(data)
      return 'still mine'
    })
    await tasker.start()
    const definitions = [200, 10_300].map(data => ({ operation: 'spin', data }))
    const results = []
    for (const definition of definitions) {
      const uuid = await tasker.addTask(definition)
      const other = tasker.addTask({ operation: 'other' })
      results.push(await tasker.waitForTaskOutputData(uuid), warnings.length)
      await other
    }
    await tasker.close()
    console.log(JSON.stringify({ results, warnings }))
  `
  const { results, warnings } = JSON.parse(await runs(script))
  assert.deepEqual(results, ['still mine', 0, 'still mine', 1])
  const [[code, message]] = warnings
  assert.equal(code, 'TASKER_EVENT_LOOP_BLOCKED')
  const [, ms] = /event loop was blocked.* (\d+) ms/.exec(message)
  assert.ok(ms >= 10_000, message)
})
