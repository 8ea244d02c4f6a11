// One life of a process with a tasker and an outbox: orders in transactions of every kind, until it
// is killed. What was committed is in its file; nothing else counts.

import { setImmediate as tick } from 'node:timers/promises'
import { Tasker } from '../../../index.mjs'
import { randomFrom } from '../storm/runners.mjs'
import { countCommitted, numbersFrom, openApp, order, orderAll } from './app.mjs'

const { app, store, life, seed, dies } = JSON.parse(process.argv[2])
const random = randomFrom(seed)
const below = n => Math.floor(random() * n)
const numbers = numbersFrom(life * 1_000_000)

const db = openApp(app)
if (dies) dieAtDelete(db)
const runners = { confirm: ({ data }) => data.n }
const tasker = new Tasker({ store, runners })
const outbox = tasker.outbox(db)
const add = definition => outbox.addTask(definition)
await tasker.start()
for (;;) {
  const ns = numbers(1 + below(30))
  if (below(3) === 0) await orderSlowly(ns)
  else orderAll(db, ns, add, below(4) === 0)
  await [tick, tick, () => outbox.flush()][below(3)]()
}

/** A transaction that stays open while the loop turns. */
async function orderSlowly(ns) {
  db.exec('BEGIN IMMEDIATE')
  for (const n of ns) {
    order(db, n, add)
    if (below(4) === 0) await tick()
  }
  const isTakenBack = below(4) === 0
  db.exec(isTakenBack ? 'ROLLBACK' : 'COMMIT')
  if (!isTakenBack) countCommitted(ns.length)
}

/** Dies where rows are about to go whose tasks are stored. */
function dieAtDelete(db) {
  const { prepare } = db
  db.prepare = sql => {
    const statement = prepare.call(db, sql)
    if (sql.startsWith('DELETE')) statement.run = () => process.kill(process.pid, 'SIGKILL')
    return statement
  }
}
