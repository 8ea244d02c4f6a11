// Orders, each with the task that confirms it: both are committed or none is.
// `node examples/outbox.mjs <folder>` reads orders from stdin, a JSON object per line.
//
// An order that the shop's file refuses leaves no task behind, and no order is without one,
// whenever the process is killed.

import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import Database from 'better-sqlite3'
import { Tasker } from 'tasker'

const [folder] = process.argv.slice(2)
const shop = new Database(join(folder, 'shop.db'))
shop.pragma('journal_mode = WAL')
shop.pragma('synchronous = FULL') // An order survives a power cut, as its task does.
shop.exec(`CREATE TABLE IF NOT EXISTS orders (
  id INTEGER PRIMARY KEY, count INTEGER NOT NULL CHECK (count > 0), confirmed_by TEXT
)`)

const tasker = new Tasker(join(folder, 'tasks.db'))
const outbox = tasker.outbox(shop)

const insert = shop.prepare('INSERT INTO orders (id, count) VALUES (?, ?)')
const store = shop.transaction(({ id, count }) => {
  outbox.addTask({ operation: 'confirm', data: { id } })
  insert.run(id, count) // If this throws, the task is taken back with it.
})

// It may run again after a crash: the first one to write counts.
const write = shop.prepare(
  'UPDATE orders SET confirmed_by = ? WHERE id = ? AND confirmed_by IS NULL',
)
tasker.assignRunner('confirm', ({ uuid, data }) => {
  write.run(uuid, data.id)
})
await tasker.start()

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  try {
    store(order)
    console.log(`order ${order.id} is stored`)
  } catch (error) {
    if (!String(error.code).startsWith('SQLITE_CONSTRAINT')) throw error
    console.log(`order ${order.id} is refused`)
  }
}

await outbox.flush()
const open = await tasker.findTasks({ status: { $in: ['new', 'running'] } })
await Promise.all(open.map(({ uuid }) => tasker.waitForTaskOutputData(uuid)))
const { confirmed, all } = shop
  .prepare('SELECT count(confirmed_by) AS confirmed, count(*) AS "all" FROM orders')
  .get()
console.log(`${confirmed} of ${all} orders are confirmed`)
await tasker.close()
shop.close()
