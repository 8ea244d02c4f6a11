// What else this process may have: a second copy of tasker, another SQLite, a plain descriptor.
// Each would break the locks of the first (F-9), so whoever comes second is refused.

import assert from 'node:assert/strict'
import { closeSync, cpSync, existsSync, openSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { file, folder, imports, open, rejection, root, run } from '../contract/open.mjs'
import { opened } from './shared/far.mjs'

const require = createRequire(import.meta.url)
const needs = { skip: !existsSync('/proc/self/fd') }

/** Another copy of the package: its own code, its own addon with a SQLite of its own. */
function copy() {
  const place = folder()
  const addons = readdirSync(root).filter(name => /^tasker\..*\.node$/.test(name))
  for (const name of ['dist', 'package.json', 'index.mjs', ...addons]) {
    cpSync(join(root, name), join(place, name), { recursive: true })
  }
  return place
}

async function refusedAsShared(tasker) {
  const error = await rejection(tasker.ready())
  assert.equal(error.code, 'TASKER_FILE_SHARED', error.message)
  return error.message
}

test('a second copy in this process is refused, and the first loses nothing (F-9)', async t => {
  const store = file()
  const first = open(t, { store, runners: { a: ({ data }) => data } })
  await first.start()
  const { Tasker: Other } = require(copy())
  const uuids = []
  for (let n = 0; n < 20; n += 1) {
    uuids.push(await first.addTask({ operation: 'a', data: n }))
    const message = await refusedAsShared(new Other({ store }))
    assert.match(message, /another copy/)
  }
  // A process beside it finds every lock in its place.
  const far = await opened(t, { store })
  const add = ({ tasker }) => tasker.addTask({ operation: 'a', data: 'far' })
  uuids.push(await far.do(add))
  const results = await Promise.all(uuids.map(uuid => first.waitForTaskOutputData(uuid)))
  assert.deepEqual(results, [...Array(20).keys(), 'far'])
  const count = ({ tasker }) => tasker.countTasks({ status: 'done' })
  assert.equal(await far.do(count), 21)
  // With its locks lost, the close of a neighbour would take the log away.
  await far.close()
  for (let n = 0; n < 5; n += 1) await first.addTask({ operation: 'b' })
  const next = await opened(t, { store })
  assert.equal(await next.do(({ tasker }) => tasker.countTasks()), 26)
})

test('a second copy may have the file when the first has closed it', async t => {
  const store = file()
  const first = open(t, { store })
  const uuid = await first.addTask({ operation: 'a', data: 'kept' })
  const { Tasker: Other } = require(copy())
  await refusedAsShared(new Other({ store }))
  await first.close()
  const second = new Other({ store, runners: { a: ({ data }) => data } })
  t.after(() => second.close())
  await second.start()
  assert.equal(await second.waitForTaskOutputData(uuid), 'kept')
  await refusedAsShared(open(t, { store }))
})

test('a second copy in a thread is refused as well', async t => {
  const store = file()
  const first = open(t, { store })
  await first.ready()
  const script = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Tasker } = require(workerData.place)
    new Tasker(workerData.store).ready().then(
      () => parentPort.postMessage('opened'),
      error => parentPort.postMessage(error.code),
    )
  `
  const workerData = { place: copy(), store }
  const thread = new Worker(script, { eval: true, workerData })
  const said = await new Promise(resolve => thread.once('message', resolve))
  await thread.terminate()
  assert.equal(said, 'TASKER_FILE_SHARED')
  await first.addTask({ operation: 'a' })
})

test('two copies that open a new file at the same moment do not both have it', async () => {
  for (let n = 0; n < 5; n += 1) {
    const store = file()
    const script = `${imports}
      const { createRequire } = await import('node:module')
      const require = createRequire(process.cwd() + '/')
      const { Tasker: Other } = require(${JSON.stringify(copy())})
      const store = ${JSON.stringify(store)}
      const ends = [new Tasker(store), new Other(store)].map(each => each.ready())
      const all = await Promise.allSettled(ends)
      console.log(all.map(({ reason }) => reason?.code ?? 'open').sort().join())
      process.exit(0)
    `
    const { out, err } = await run(script)
    assert.equal(out, 'TASKER_FILE_SHARED,open\n', err)
  }
})

test('a file that a descriptor of this process stands on is refused (F-9)', needs, async t => {
  const store = file()
  const first = open(t, { store })
  const uuid = await first.addTask({ operation: 'a' })
  await first.close()
  const descriptor = openSync(store, 'r')
  assert.match(await refusedAsShared(open(t, { store })), /not tasker/)
  // Another process does not mind.
  const far = await opened(t, { store })
  await far.close()
  closeSync(descriptor)
  assert.equal((await open(t, { store }).getTask(uuid)).status, 'new')
})

const places = ['node_modules', 'bench/node_modules'].map(name =>
  join(root, name, 'better-sqlite3'),
)
const peer = places.find(place => existsSync(join(place, 'build/Release/better_sqlite3.node')))
const sqlite = { skip: needs.skip || (!peer && 'better-sqlite3 is not installed') }

test('a file that better-sqlite3 has open in this process is refused', sqlite, async t => {
  const store = file()
  const first = open(t, { store })
  await first.addTask({ operation: 'a' })
  await first.close()
  const Database = require(peer)
  const database = new Database(store)
  assert.equal(database.prepare('SELECT count(*) AS n FROM tasks').get().n, 1)
  assert.match(await refusedAsShared(open(t, { store })), /not tasker/)
  database.close()
  assert.equal(await open(t, { store }).countTasks(), 1)
  assert.deepEqual(
    readdirSync(dirname(store)).filter(name => name.endsWith('-journal')),
    [],
  )
})
