// Says why tasks do not run, from a process that runs none: a script beside your server.
//
//   npx tsx why-not-running.mts <store> [uuid]     one task, or each that waits
//
// The file may be in use by other processes. What they run, and which operations they have runners
// for, is known here too.

import { access } from 'node:fs/promises'
import { Tasker } from 'tasker'

const [store, uuid] = process.argv.slice(2)
if (!store) {
  console.error('usage: why-not-running.mts <store> [uuid]')
  process.exit(2)
}
// A tasker would make the file.
await access(store)
const tasker = new Tasker({ store })

if (uuid) {
  console.log(String(await tasker.explainTask(uuid)))
} else {
  for await (const task of tasker.tasks({ status: 'new' }, { fields: ['uuid'] })) {
    console.log(String(await tasker.explainTask(task.uuid)))
  }
}
await tasker.close()
