// Writes many small rows with few transactions: each row is a task, each batch one transaction.
//
//   npx tsx batches.mts [store]
//
// A row that the table refuses fails its own task, and the others of its batch are written.

import { Tasker } from 'tasker'

interface Operations {
  insert: { data: { id: number; text: string }; result: { rowid: number } }
}

const [store = 'rows.db'] = process.argv.slice(2)
const tasker = new Tasker<Operations>({ store, concurrency: 1 })

/** Stands for a database: a transaction costs much, one more row in it costs nothing. */
const table = new Map<number, string>()
let transactions = 0

function insertAll(rows: readonly { id: number; text: string }[]): (number | Error)[] {
  transactions += 1
  return rows.map(({ id, text }) => {
    if (table.has(id)) return new Error(`there is a row ${id}`)
    table.set(id, text)
    return table.size
  })
}

tasker.assignRunner(
  'insert',
  contexts => {
    const written = insertAll(contexts.map(({ data }) => data))
    return written.map(rowid => (rowid instanceof Error ? rowid : { rowid }))
  },
  { batch: { max: 100, wait: '20ms' } },
)

const rows = Array.from({ length: 250 }, (_, n) => ({ id: n, text: `row ${n}` }))
const twice = [...rows, { id: 7, text: 'another seven' }]
const uuids = await tasker.addTasks(twice.map(data => ({ operation: 'insert' as const, data })))
await tasker.start()
await Promise.allSettled(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))

const failed = await tasker.findTasks({ operation: 'insert', status: 'failed' })
console.log(`${table.size} rows in ${transactions} transactions`)
console.log(failed.map(({ error }) => error?.message).join())
await tasker.close()
