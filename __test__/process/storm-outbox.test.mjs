// The storm of the outbox: an application and its tasker are killed by `kill -9`, again and again,
// at random moments, and so is another process that writes into the same file. Each order that was
// committed has one task in the end, each that was taken back none (I-20).
// TASKER_KILLS, TASKER_SEED and TASKER_SQLITE choose another storm.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../../index.mjs'
import { openSqlite, rowsOf, sqliteName } from '../contract/sqlite.mjs'
import { openApp } from './outbox/app.mjs'
import { judge } from './outbox/judge.mjs'
import { randomFrom } from './storm/runners.mjs'

const kills = Number(process.env.TASKER_KILLS ?? 120)
const seed = Number(process.env.TASKER_SEED ?? Date.now() % 1_000_000)
const script = name => fileURLToPath(new URL(`outbox/${name}.mjs`, import.meta.url))

/**
 * One life of a process: killed some time after it is at work, or (one in eight) while it starts,
 * or by itself (`dies`).
 */
function live(name, options, random) {
  const flags = ['--no-warnings', script(name), JSON.stringify(options)]
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
  const isEarly = random() < 1 / 8
  const ms = random() * (isEarly ? 150 : 60)
  const dieSoon = () => setTimeout(() => child.kill('SIGKILL'), ms)
  if (options.dies) child.stdout.resume()
  else if (isEarly) dieSoon()
  else child.stdout.once('data', dieSoon)
  return new Promise(resolve => {
    child.on('close', (_, signal) => resolve(signal))
  })
}

/** How many rows are left whose task is stored: those that are going to be handed over again. */
function halfWay(folder, files) {
  const [app, store] = files.map(file => {
    const copy = `${file}.copy`
    for (const end of ['', '-wal']) {
      rmSync(join(folder, copy + end), { force: true })
      if (existsSync(join(folder, file + end))) {
        copyFileSync(join(folder, file + end), join(folder, copy + end))
      }
    }
    return openSqlite(join(folder, copy))
  })
  const query = "SELECT count(*) AS n FROM sqlite_schema WHERE name IN ('tasker_outbox', 'keys')"
  const isMade = [app, store].every(db => db.prepare(query).all()[0].n === 1)
  const find = isMade && store.prepare('SELECT seq FROM keys WHERE key = ?')
  // The store marks the keys of rows with a letter.
  const isStored = ({ key }) => find.all(Buffer.concat([Buffer.from('i'), key])).length > 0
  const rows = isMade ? rowsOf(app).filter(isStored) : []
  for (const db of [app, store]) db.close()
  return rows.length
}

/** Takes up what is left, runs it, and gives everything that is to be compared. */
async function finish(app, store) {
  const db = openApp(app)
  const tasker = new Tasker({ store, runners: { confirm: ({ data }) => data.n } })
  const outbox = tasker.outbox(db)
  await outbox.flush()
  const ended = new Promise(resolve => {
    const look = async () => {
      if ((await tasker.countTasks({ status: { $in: ['new', 'running'] } })) === 0) resolve()
    }
    tasker.on('task.ended', look)
    tasker.on('started', look)
  })
  await tasker.start()
  await ended
  await outbox.flush()
  const orders = db.prepare('SELECT n, key FROM orders ORDER BY n').all()
  const some = orders.filter((_, i) => i % 10 === 0)
  const dashed = key => key.replaceAll('-', '').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  const uuids = await Promise.all(some.map(({ key }) => outbox.uuidOf(dashed(key))))
  const leads = some.map(({ n }, i) => [n, uuids[i]])
  const [tasks, rows] = [await tasker.findTasks({}), rowsOf(db)]
  await tasker.close()
  db.close()
  return { orders, tasks, rows, leads }
}

const sound = {
  orders: [{ n: 1 }],
  tasks: [{ uuid: 'a', data: { n: 1 }, status: 'done' }],
  rows: [],
  leads: [[1, 'a']],
}
const [task] = sound.tasks
const faults = {
  'committed and lost': { orders: [{ n: 1 }, { n: 2 }] },
  doubled: { tasks: [task, { ...task, uuid: 'b' }] },
  'never committed': { tasks: [task, { ...task, data: { n: 2 } }] },
  'not run': { tasks: [{ ...task, status: 'new' }] },
  'its key leads elsewhere': { leads: [[1, 'b']] },
  'rows are left': { rows: [{}] },
}

for (const [fault, change] of Object.entries(faults)) {
  test(`the judge sees: ${fault}`, () => {
    const kinds = judge({ ...sound, ...change }).faults.map(text => text.split(':')[0])
    assert.deepEqual(kinds, [fault])
  })
}

test(`no task of an outbox is lost and none doubled by ${kills} × kill -9`, async t => {
  t.diagnostic(`seed ${seed}, ${sqliteName}`)
  const folder = mkdtempSync(join(tmpdir(), 'tasker-outbox-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const files = ['app.db', 'tasks.db']
  const [app, store] = files.map(name => join(folder, name))
  const random = randomFrom(seed)
  // The writer finds the table made.
  const first = new Tasker({ store })
  const db = openApp(app)
  await first.outbox(db).flush()
  await first.close()
  db.close()
  let again = 0
  for (let life = 1; life <= kills / 2; life++) {
    // One in four dies between the commit of its tasks and the end of their rows.
    const options = { app, store, life, seed: seed + life, dies: life % 4 === 0 }
    const lives = [
      live('worker', options, random),
      live('writer', { ...options, dies: false }, random),
    ]
    const signals = await Promise.all(lives)
    assert.deepEqual(signals, ['SIGKILL', 'SIGKILL'], `life ${life} ended by itself`)
    again += halfWay(folder, files)
  }
  const found = await finish(app, store)
  const { lost, doubled, faults } = judge(found)
  t.diagnostic(`${kills} kills: ${found.orders.length} committed, ${found.tasks.length} tasks`)
  t.diagnostic(`${again} rows came again, ${lost} lost, ${doubled} doubled`)
  assert.deepEqual(faults, [])
  assert.ok(found.orders.length >= kills * 5, 'too few orders to prove anything')
  assert.ok(again >= Math.floor(kills / 8), 'too few rows came again to prove anything')
})
