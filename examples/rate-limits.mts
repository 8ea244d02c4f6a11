// A service allows each account so many calls in a time, and a few at once.
//
//   npx tsx rate-limits.mts [store]
//
// The limit is said once, for the operation; it is stored, and holds over all processes on the file
// and over restarts. No account waits for another one.

import { Tasker } from 'tasker'

interface Operations {
  call: { data: { account: string; n: number } }
}

const [store = 'calls.db'] = process.argv.slice(2)
const LIMIT = { limit: 20, per: 1000, burst: 2, by: 'data.account' }
const CALLS = { ada: 8, bob: 1, eve: 2 }

const tasker = new Tasker<Operations>({ store })
await tasker.defineOperation('call', { rateLimit: LIMIT })
tasker.assignRunner('call', () => {}) // Your own call goes here.

const uuids: string[] = []
for (const [account, count] of Object.entries(CALLS)) {
  const calls = Array.from({ length: count }, (_, n) => n)
  const tasks = calls.map(n => ({ operation: 'call' as const, data: { account, n } }))
  uuids.push(...(await tasker.addTasks(tasks)))
}
await tasker.start()
await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))

/** Whether any time has more starts than it may; the clock is late by less than a millisecond. */
function isTooMany(starts: number[]): boolean {
  return starts.some((from, first) =>
    starts.slice(first).some((to, more) => {
      const allowed = LIMIT.burst + (LIMIT.limit * (to - from + 1)) / LIMIT.per
      return more + 1 > allowed
    }),
  )
}

for (const account of Object.keys(CALLS)) {
  const tasks = await tasker.findTasks({ operation: 'call', 'data.account': account })
  const starts = tasks.map(task => Number(task.startedAt)).sort((a, b) => a - b)
  const verdict = isTooMany(starts) ? 'too many' : 'within the limit'
  console.log(`${account}: ${starts.length} calls, ${verdict}`)
}
await tasker.close()
