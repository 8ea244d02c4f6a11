// Was anything lost? Compares the log that the runners wrote with what the store says.

import { readFileSync } from 'node:fs'
import { Tasker } from '../../index.mjs'
import { bold, count, green, red, say } from './screen.mjs'

const endings = new Set(['done', 'failed'])

/** Prints the verdict; true if every task ended and was run. */
export async function printVerdict({ store, log }) {
  const tasker = new Tasker({ store })
  const tasks = await tasker.findTasks({})
  await tasker.close()
  const runs = runsByTask(log)
  const lost = tasks.filter(({ uuid, status }) => !endings.has(status) || !runs.has(uuid))
  const twice = tasks.filter(({ uuid }) => runs.get(uuid) > 1)
  const word = lost.length === 0 ? green('0 lost') : red(`${count(lost.length)} lost`)
  say(`\n${bold(`${count(tasks.length)} tasks`)}: ${word}, ${count(twice.length)} ran twice`)
  for (const { data, attempt } of twice.slice(0, 16)) say(`  attempt ${attempt}  ${data.path}`)
  if (twice.length > 0) say('  they were running when the process died')
  return lost.length === 0
}

/** How often each task ran. */
function runsByTask(log) {
  const runs = new Map()
  for (const line of readFileSync(log, 'utf8').split('\n').filter(Boolean)) {
    const { uuid } = JSON.parse(line)
    runs.set(uuid, (runs.get(uuid) ?? 0) + 1)
  }
  return runs
}
