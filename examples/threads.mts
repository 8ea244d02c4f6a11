// Hashes texts many times over in worker threads, while the event loop stays free. One of the tasks
// never comes back: its timeout ends its thread, and the others do not notice.
//
//   npx tsx threads.mts [text …]
//
// The runner is the module beside this file, which each thread loads.

import { extname } from 'node:path'
import { Tasker } from 'tasker'

export interface Operations {
  hash: { data: { text: string; rounds: number; isStuck?: boolean }; result: string }
}

const given = process.argv.slice(2)
const texts = given.length > 0 ? given : ['dune', 'emma', 'ulysses', 'walden']

const tasker = new Tasker<Operations>(':memory:')
// The module is compiled beside this file, or is run as it is.
const module = new URL(`./hash${extname(import.meta.url)}`, import.meta.url)
tasker.assignRunner('hash', module, { threads: 2, runTimeout: '1m' })
await tasker.start()

const task = (text: string) => ({ operation: 'hash', data: { text, rounds: 50_000 } }) as const
const uuids = await tasker.addTasks(texts.map(task))
const stuck = await tasker.addTask({
  operation: 'hash',
  data: { text: 'never', rounds: 1, isStuck: true },
  runTimeout: '10ms',
})

for (const [i, uuid] of uuids.entries()) {
  const hash = await tasker.waitForTaskOutputData(uuid)
  console.log(texts[i], hash.slice(0, 16))
}
// Ten milliseconds, and five seconds in which it could have ended by itself.
await tasker.waitForTaskOutputData(stuck).catch(error => console.log('stuck:', error.cause))
await tasker.close()
