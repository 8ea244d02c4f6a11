// Follows the log of a task until it has ended, from a process beside the one that runs it.
//
//   npx tsx live-logs.mts <store> <uuid> [level]
//
// Prints what is stored already, then each line as it comes; with a level such as `warning` only
// what is as grave as that. Ctrl-C ends the look, not the task.

import { access } from 'node:fs/promises'
import { type LogLevel, Tasker } from 'tasker'

const [store, uuid, level = 'debug'] = process.argv.slice(2)
if (!store || !uuid) {
  console.error('usage: live-logs.mts <store> <uuid> [level]')
  process.exit(2)
}
// A tasker would make the file.
await access(store)
const tasker = new Tasker({ store })
const leave = new AbortController()
process.once('SIGINT', () => leave.abort())

const options = {
  fromBeginning: true,
  logsMaxLevel: level as LogLevel,
  abortSignal: leave.signal,
}
try {
  for await (const { at, level, message } of tasker.listenTaskLogs(uuid, options)) {
    console.log(`${at.toISOString().slice(11, 23)} ${level.padEnd(7)} ${message}`)
  }
  console.log((await tasker.getTask(uuid)).status)
} catch (error) {
  if (!leave.signal.aborted) throw error
} finally {
  await tasker.close()
}
