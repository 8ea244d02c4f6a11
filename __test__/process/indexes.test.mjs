// Indexes are made and dropped while other processes work on the file, and survive kill -9.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { file, imports, open, root, runs } from '../contract/open.mjs'

const flags = process.execArgv.filter(flag => flag.startsWith('--disable-proto'))

/** A process of its own with this script; says so when it has printed a line. */
async function child(t, script) {
  const args = [...flags, '--input-type=module', '--eval', imports + script]
  const started = spawn(process.execPath, args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => started.kill('SIGKILL'))
  await once(started.stdout, 'data')
  return started
}

const many = n => Array.from({ length: n }, (_, i) => ({ operation: 'read', data: { n: i } }))

test('one process makes and drops indexes while another adds, runs and searches', async t => {
  const store = file()
  const tasker = open(t, { store })
  for (let i = 0; i < 3; i += 1) await tasker.addTasks(many(10_000))
  const ended = new Set()
  tasker.on('task.done', (_uuid, n) => ended.add(n))
  tasker.assignRunner('work', ({ data }) => data.w)
  await tasker.start()
  const indexing = runs(`${imports}
    const store = ${JSON.stringify(store)}
    for (let i = 0; i < 6; i += 1) {
      const tasker = new Tasker({ store, indexes: i % 2 ? [] : ['data.n'] })
      const { index, matched } = await tasker.explainQuery({ 'data.n': 77 })
      console.log(index, matched)
      await tasker.close()
    }`)
  let isOver = false
  const printed = indexing.finally(() => {
    isOver = true
  })
  let added = 0
  const waits = []
  while (!isOver) {
    const uuid = await tasker.addTask({ operation: 'work', data: { w: added } })
    waits.push(tasker.waitForTaskOutputData(uuid))
    assert.equal(await tasker.countTasks({ 'data.n': 77 }), 3)
    assert.equal(await tasker.countTasks({ 'data.w': added }), 1)
    added += 1
  }
  assert.equal(await printed, 'data.n 3\nnull 3\n'.repeat(3))
  assert.deepEqual(await Promise.all(waits), [...Array(added).keys()])
  assert.equal(ended.size, added)
})

test('kill -9 while indexes are made loses nothing, and the next one makes them', async t => {
  const store = file()
  const before = open(t, { store })
  for (let i = 0; i < 3; i += 1) await before.addTasks(many(10_000))
  await before.close()
  const paths = Array.from({ length: 16 }, (_, i) => `data.${i ? `p${i}` : 'n'}`)
  for (let kills = 0; kills < 4; kills += 1) {
    const killed = await child(
      t,
      `const options = { store: ${JSON.stringify(store)}, indexes: ${JSON.stringify(paths)} }
       const tasker = new Tasker(options)
       process.stdout.write('open')
       await tasker.ready()
       process.stdin.resume()`,
    )
    const exit = once(killed, 'exit')
    killed.kill('SIGKILL')
    await exit
    const silent = open(t, { store })
    assert.equal(await silent.countTasks({ 'data.n': 77 }), 3)
    assert.equal(await silent.countTasks(), 30_000)
    await silent.close()
  }
  const tasker = open(t, { store, indexes: paths })
  const { index, matched } = await tasker.explainQuery({ 'data.n': 77 })
  assert.deepEqual({ index, matched }, { index: 'data.n', matched: 3 })
})
