// Many may read a book at once, one may write it alone, and nobody waits for ever.
//
//   npx tsx readers-writers.mts [store]
//
// A reader looks at what runs and at what stands ahead: it does not overtake a writer that waits.
// The conditions are said once, for each operation; they hold over all processes on the file.

import { setTimeout as sleep } from 'node:timers/promises'
import { Tasker } from 'tasker'

interface Operations {
  read: { data: { book: string; name: string } }
  write: { data: { book: string; name: string } }
}

const [store = 'books.db'] = process.argv.slice(2)
const tasker = new Tasker<Operations>({ store })

const book = { 'data.book': { $task: 'data.book' } } as const
const writers = { operation: 'write', ...book } as const
await tasker.defineOperation('read', {
  conditions: [
    { scope: 'running', query: { operation: 'read', ...book }, limit: 1 }, // two at once
    { scope: 'running', query: writers, limit: 0 },
    { scope: 'before-queued', query: writers, limit: 0 },
  ],
})
await tasker.defineOperation('write', {
  conditions: [{ scope: 'running', query: book, limit: 0 }], // alone
})

let now: string[] = []
const use = async ({ data: { name } }: { data: { name: string } }) => {
  now.push(name)
  console.log(now.join(' with '))
  await sleep(50) // Your own work goes here.
  now = now.filter(other => other !== name)
}
tasker.assignRunner('read', use)
tasker.assignRunner('write', use)

// All of them wait before the first one starts: their priority is the order in which they stand.
const uuids: string[] = []
for (const name of ['R100', 'W99', 'W98', 'R97', 'R96', 'W94']) {
  const operation = name.startsWith('R') ? 'read' : 'write'
  const task = { operation, priority: Number(name.slice(1)), data: { book: 'dune', name } } as const
  uuids.push(await tasker.addTask(task))
}
await tasker.start()
await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
await tasker.close()
