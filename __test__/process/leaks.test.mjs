// What a process holds after many taskers: nothing. TASKER_OPENS chooses how many.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { file, folder, imports, runs } from '../contract/open.mjs'

const execute = promisify(execFile)
const needs = { skip: !existsSync('/proc/self/fd') }
const opens = Number(process.env.TASKER_OPENS ?? 1000)
const flags = ['--expose-gc']
const script = fileURLToPath(new URL('load/cycles.mjs', import.meta.url))

const patience = { timeout: 300_000 + opens * 500 }

/** What malloc keeps in the end, however many follow: 40,000 took it. A leak of 50 KB is more. */
const GROWTH_MB_MAX = 48

test(`${opens} × open and close leaves no thread, file or timer (I-14, G-13)`, needs, async t => {
  const options = JSON.stringify({ place: folder(), warm: 200, cycles: opens })
  const { stdout } = await execute(process.execPath, [...flags, script, options], patience)
  const [before, after] = JSON.parse(stdout)
  t.diagnostic(`${before.rssMb} MB before, ${after.rssMb} MB after`)
  t.diagnostic(`${after.threads} threads, ${after.files.length} descriptors, before and after`)
  assert.deepEqual({ ...after, rssMb: 0 }, { ...before, rssMb: 0 })
  assert.deepEqual(after.resources, [])
  assert.ok(after.rssMb - before.rssMb <= GROWTH_MB_MAX, 'memory grew')
})

/** Makes a tasker, forgets it, and says what is left when the garbage collector has been there. */
const dropped = (store, use) => `${imports}
  import { readdirSync } from 'node:fs'
  const threads = () => readdirSync('/proc/self/task').length
  const before = threads()
  await (async () => {
    const tasker = new Tasker(${JSON.stringify(store)})
    ${use}
  })()
  console.log(threads() - before)
  // Finalizers run in turns of the loop of their own, after the collection that finds them.
  while (threads() > before) {
    global.gc()
    await new Promise(resolve => setImmediate(resolve))
  }
  console.log(threads() - before)
  const next = new Tasker(${JSON.stringify(store)})
  console.log(await next.countTasks())
  await next.close()
`

test(
  'a tasker that is dropped unclosed gives its threads and its file back (F-25)',
  needs,
  async () => {
    const add = `await tasker.addTask({ operation: 'a' })`
    assert.equal(await runs(dropped(file(), add), { flags }), '3\n0\n1\n')
  },
)

test(
  'a dropped tasker with runners, listeners and signals goes as well (F-25)',
  needs,
  async () => {
    const use = `
    tasker.on('task.log', uuid => console.log(tasker, uuid))
    tasker.assignRunner('a', () => tasker.countTasks())
    const ended = new Promise(resolve => tasker.once('task.ended', resolve))
    await tasker.start()
    await tasker.addTask({ operation: 'a', abortSignal: new AbortController().signal })
    await ended
    await tasker.stop()
  `
    assert.equal(await runs(dropped(file(), use), { flags }), '3\n0\n1\n')
  },
)

test('a started tasker that nobody holds goes on', needs, async () => {
  const script = `${imports}
    await (async () => {
      const tasker = new Tasker({ store: ':memory:', runners: { a: () => 1 } })
      await tasker.start()
      let left = 50
      const turn = () => {
        global.gc()
        left -= 1
        if (left > 0) return tasker.addTask({ operation: 'a' })
        tasker.stop().then(() => console.log('stopped'))
      }
      tasker.on('task.done', turn)
      turn()
    })()
    global.gc()
  `
  assert.equal(await runs(script, { flags }), 'stopped\n')
})
