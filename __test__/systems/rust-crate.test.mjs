// The Rust crate `task` and this class on one file: each runs what the other has added, and a limit
// of an operation holds for both.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { root } from '../../scripts/steps.mjs'

const TASKS = 40

test('a Rust worker and a Node worker share one queue with its limits', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-rust-'))
  const file = join(folder, 'tasks.db')
  const tasker = new Tasker(file)
  t.after(async () => {
    await tasker.close()
    rmSync(folder, { recursive: true, force: true })
  })
  tasker.assignRunner('greet', ({ data }) => `hello ${data}`)
  await tasker.start()

  const words = ['run', '--quiet', '--package', 'task', '--example', 'beside_node', '--', file]
  const worker = spawn('cargo', words, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => worker.kill('SIGKILL'))
  const [line] = await once(createInterface({ input: worker.stdout }), 'line')
  assert.equal(line, '"hello Rust"')

  const double = ({ data }) => ({ by: 'node', is: 2 * data })
  tasker.assignRunner('double', double, { concurrency: 1 })
  const all = Array.from({ length: TASKS }, (_, data) => ({ operation: 'double', data }))
  const uuids = await tasker.addTasks(all)
  const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual(
    results.map(({ is }) => is),
    all.map(({ data }) => 2 * data),
  )
  const tasks = await tasker.findTasks({ operation: 'double' }, { sort: { startedAt: 1, seq: 1 } })
  for (const [n, { startedAt }] of tasks.entries()) {
    if (n > 0) assert.ok(startedAt >= tasks[n - 1].endedAt, 'two ran at once')
  }
  const operations = await tasker.findOperations()
  assert.equal(operations.find(({ name }) => name === 'double').options.concurrency, 1)

  worker.stdin.end()
  const [code] = await once(worker, 'exit')
  assert.equal(code, 0)
})
