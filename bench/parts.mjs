// What several benches do in the same way.

import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/** Has a program measure something in a process of its own. Gives what it prints, as JSON. */
export function measureApart(file, words) {
  const args = [file, ...words.map(String)]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${words[0]}: ${stderr}`)
  return JSON.parse(stdout)
}

/** The share of one core that this process takes at rest, in so many milliseconds. */
export async function idleShare(ms) {
  // The store is tidied, and the compiler of JavaScript comes to rest.
  await sleep(500)
  const before = process.cpuUsage()
  await sleep(ms)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000 / ms
}
