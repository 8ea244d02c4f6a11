// The usual client of the Task Executor API, `@aidbox/sdk-r4`, against a tasker that listens: its
// workers run in processes of their own, some of which are killed.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../../index.mjs'
import { Client } from './aidbox/node_modules/@aidbox/sdk-r4/index.js'

const worker = fileURLToPath(new URL('./aidbox/worker.mjs', import.meta.url))

/** A tasker on a file of its own that listens, with an operation for the client. */
async function serve(t, executor) {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-aidbox-'))
  const tasker = new Tasker(join(folder, 'tasks.db'))
  t.after(async () => {
    await tasker.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await tasker.defineOperation('import', { executor, retry: { attempts: 5 } })
  return { tasker, server: await tasker.listen({ port: 0 }) }
}

const clientOf = ({ url, token }) =>
  new Client(url, {
    auth: { method: 'basic', credentials: { username: 'token', password: token } },
  })

/** A worker of the client in a process of its own, with the lines that it prints. */
function start(t, { url, token }, kind) {
  const stdio = ['ignore', 'pipe', 'inherit']
  const child = spawn(process.execPath, [worker, url, token, kind], { stdio })
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  return { child, line: async () => (await once(lines, 'line'))[0] }
}

test('a worker of the client carries out what the client has added', async t => {
  const { tasker, server } = await serve(t, true)
  const client = clientOf(server)
  start(t, server, 'sum')
  const added = await client.task.execute('import', { numbers: [1, 2, 3] })
  const { id } = added.result.resource
  assert.deepEqual(await tasker.waitForTaskOutputData(id), { sum: 6 })
  const { resource, log } = await client.task.history(id)
  assert.deepEqual([resource.status, resource.outcome], ['done', 'succeeded'])
  assert.ok(Array.isArray(log) && log.length >= 2)
  const canceled = await client.task.execute('nobody', {})
  const { outcome } = await client.task.cancel(canceled.result.resource.id)
  assert.equal(outcome, 'canceled')
})

test('what a handler throws fails its task', async t => {
  const { tasker, server } = await serve(t, true)
  start(t, server, 'throw')
  const { result } = await clientOf(server).task.execute('import', { numbers: [] })
  const error = await tasker.waitForTaskOutputData(result.resource.id).catch(error => error)
  assert.equal(error.name, 'ExecutorError')
})

test('tasks of workers that are killed are carried out by others, each to one end', async t => {
  // What a dead worker had is free again after this.
  const { tasker, server } = await serve(t, { claimTimeout: 500, lease: 500 })
  const count = 60
  const definitions = Array.from({ length: count }, (_, n) => ({
    operation: 'import',
    data: { numbers: [n] },
  }))
  const uuids = await tasker.addTasks(definitions)
  for (let n = 0; n < 5; n += 1) {
    const { child, line } = start(t, server, 'hang')
    await line()
    child.kill('SIGKILL')
  }
  start(t, server, 'sum')
  const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual(
    results,
    uuids.map((_, n) => ({ sum: n })),
  )
  assert.equal(await tasker.countTasks({ status: 'done' }), count)
})
