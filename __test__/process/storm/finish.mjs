// The end of a storm: runs what is left over, and compares the store with what was told.

import { readFileSync } from 'node:fs'
import { Tasker } from '../../../index.mjs'
import { runnersOf } from './runners.mjs'

/** Runs what the storm left over; resolves with every task. */
export async function finish(store, log) {
  const tasker = new Tasker({ store, runners: runnersOf(log) })
  const open = () => tasker.countTasks({ status: { $in: ['new', 'running'] } })
  const rest = new Promise(resolve => {
    const look = async () => (await open()) === 0 && resolve()
    tasker.on('task.ended', look)
    tasker.on('started', look)
  })
  for (const { name, pausedAt } of await tasker.findOperations()) {
    if (pausedAt) await tasker.resumeOperation(name)
  }
  await tasker.start()
  await rest
  const tasks = await tasker.findTasks({})
  await tasker.close()
  return tasks
}

/** The runs that runners noted. */
export function runsIn(log) {
  const lines = readFileSync(log, 'utf8').split('\n')
  return lines.slice(0, -1).map(line => JSON.parse(line))
}
