// Stores orders, each together with the task that confirms it: both are committed, or neither is.
//
//   npx tsx outbox.mts <folder>      reads orders from stdin, one JSON object per line
//
// An order that the shop's database refuses leaves no task behind, and no stored order is without
// its task, whenever the process is killed.

import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import Database from 'better-sqlite3'
import { Tasker } from 'tasker'

interface Order {
  id: number
  count: number
}
interface Operations {
  confirm: { data: { id: number } }
}

const [folder] = process.argv.slice(2)
if (!folder) {
  console.error('usage: outbox.mts <folder>')
  process.exit(2)
}
const shop = new Database(join(folder, 'shop.db'))
shop.pragma('journal_mode = WAL')
shop.pragma('synchronous = FULL') // An order survives a power cut, as its task does.
shop.exec(`CREATE TABLE IF NOT EXISTS orders (
  id INTEGER PRIMARY KEY, count INTEGER NOT NULL CHECK (count > 0), confirmed_by TEXT
)`)

const tasker = new Tasker<Operations>(join(folder, 'tasks.db'))
const outbox = tasker.outbox(shop)

const insert = shop.prepare('INSERT INTO orders (id, count) VALUES (?, ?)')
const store = shop.transaction(({ id, count }: Order) => {
  outbox.addTask({ operation: 'confirm', data: { id } })
  insert.run(id, count) // If this throws, the task is rolled back with it.
})

// It may run again after a crash: the first run to write wins.
const write = shop.prepare(
  'UPDATE orders SET confirmed_by = ? WHERE id = ? AND confirmed_by IS NULL',
)
tasker.assignRunner('confirm', ({ uuid, data }) => {
  write.run(uuid, data.id)
})
tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))
await tasker.start()

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  try {
    store(order)
    console.log(`order ${order.id} is stored`)
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error
    if (!error.code.startsWith('SQLITE_CONSTRAINT')) throw error
    console.log(`order ${order.id} is refused`)
  }
}

await outbox.flush()
const open = await tasker.findTasks({ status: { $in: ['new', 'running'] } })
await Promise.all(open.map(({ uuid }) => tasker.waitForTaskOutputData(uuid)))
const { confirmed, all } = shop
  .prepare<[], { confirmed: number; all: number }>(
    'SELECT count(confirmed_by) AS confirmed, count(*) AS "all" FROM orders',
  )
  .get() ?? { confirmed: 0, all: 0 }
console.log(`${confirmed} of ${all} orders are confirmed`)
await tasker.close()
shop.close()
