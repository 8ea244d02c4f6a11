// The executors of examples/executors, in Python and with curl: each carries out tasks, and goes on
// after one that it cannot.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { root } from './program.mjs'

/** A tasker that listens, with an operation for executors, and one of them that works. */
async function serve(t, program, name, operation) {
  const tasker = new Tasker(':memory:')
  t.after(() => tasker.close())
  await tasker.defineOperation(operation, { executor: true })
  const { url, token } = await tasker.listen({ port: 0 })
  const script = join(root, 'examples/executors', name)
  const child = spawn(program, [script, url, token, operation], { stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  child.once('error', error => assert.fail(`${program} is needed here: ${error.message}`))
  return tasker
}

test('an executor in Python carries out tasks, and fails what it cannot', async t => {
  const tasker = await serve(t, 'python3', 'executor.py', 'sum')
  const [first, wrong, last] = await tasker.addTasks([
    { operation: 'sum', data: { numbers: [1, 2.5] } },
    { operation: 'sum', data: { numbers: 'é' } },
    { operation: 'sum', data: { numbers: [] } },
  ])
  assert.deepEqual(await tasker.waitForTaskOutputData(first), { sum: 3.5 })
  const error = await tasker.waitForTaskOutputData(wrong).catch(error => error)
  assert.match(error.message, /^TypeError/)
  assert.deepEqual(await tasker.waitForTaskOutputData(last), { sum: 0 })
})

test('an executor with curl carries out tasks', async t => {
  const tasker = await serve(t, 'sh', 'executor.sh', 'count')
  const texts = ['one', 'one two three']
  const definitions = texts.map(text => ({ operation: 'count', data: { text } }))
  const uuids = await tasker.addTasks(definitions)
  const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual(results, [{ words: 1 }, { words: 3 }])
})
