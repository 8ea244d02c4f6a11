// After `kill -9` work goes on, with a long queue and many runs that were cut. How soon is what
// `npm run bench:recovery` prints.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { file, root } from '../contract/open.mjs'

const READY = 20_000
const RUNNING = 1_000
const BATCH = 10_000

const first = `
  import { Tasker } from './index.mjs'
  const tasker = new Tasker({ store: process.argv[1], concurrency: ${RUNNING} })
  let running = 0
  tasker.assignRunner('hold', () => {
    running += 1
    if (running === ${RUNNING}) console.log('running')
    return new Promise(() => {})
  })
  const tasks = (length, operation) => Array.from({ length }, () => ({ operation, data: [1] }))
  for (let n = 0; n < ${READY}; n += ${BATCH}) await tasker.addTasks(tasks(${BATCH}, 'go'))
  await tasker.addTasks(tasks(${RUNNING}, 'hold'))
  await tasker.start()`

const second = `
  import { Tasker } from './index.mjs'
  const tasker = new Tasker({ store: process.argv[1] })
  let isTold = false
  const runner = () => {
    if (!isTold) console.log('started')
    isTold = true
    return new Promise(() => {})
  }
  tasker.assignRunner('go', runner)
  await tasker.start()
  console.log(await tasker.countTasks({ 'attempts.outcome': 'lost' }))`

/** A process on the file, and the next of its lines. */
function live(t, script, store) {
  const args = ['--input-type=module', '--eval', script, store]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  child.stdout.setEncoding('utf8')
  const lines = (async function* () {
    let text = ''
    for await (const chunk of child.stdout) {
      const parts = (text + chunk).split('\n')
      text = parts.pop()
      yield* parts
    }
  })()
  const line = async () => (await lines.next()).value
  const end = new Promise(resolve => child.on('close', (_, signal) => resolve(signal)))
  return { line, kill: () => child.kill('SIGKILL') && end }
}

test(`after kill -9 the first of ${READY} tasks starts, cut runs are lost (G-7, F-1)`, async t => {
  const store = file()
  const before = live(t, first, store)
  assert.equal(await before.line(), 'running')
  assert.equal(await before.kill(), 'SIGKILL')

  const after = live(t, second, store)
  assert.equal(await after.line(), 'started')
  assert.equal(await after.line(), String(RUNNING), 'every cut run is counted as lost (I-4)')
  await after.kill()
})
