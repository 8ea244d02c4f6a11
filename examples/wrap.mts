// Invokes wraps as tasks, through the concurrency interface: what was scheduled is invoked, also
// after a crash.
//
//   npx tsx wrap.mts <store> [n ...]      schedules the factorial of each n, and tells all results
//
// The wrap here is a function of this file. A client of wraps takes its place in `invoke`.

import { Tasker } from 'tasker'
import { Concurrency, decode, ReturnWhen } from 'tasker/concurrency'

const [store, ...numbers] = process.argv.slice(2)
if (!store) {
  console.error('usage: wrap.mts <store> [n ...]')
  process.exit(2)
}
const uri = 'wrap://ens/math.eth'
const tasker = new Tasker({ store })

const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1))
const wraps: Record<string, (args: { n: number }) => number> = {
  factorial: ({ n }) => factorial(n),
}

const module = new Concurrency(tasker, {
  invoke: ({ method, args }, { abortSignal }) => {
    abortSignal.throwIfAborted()
    const wrap = wraps[method]
    if (!wrap) throw new Error(`${uri} has no method ${method}`)
    return wrap(decode(args) as { n: number })
  },
})

const tasks = numbers.map(n => ({ uri, method: 'factorial', args: { n: Number(n) } }))
const scheduled = await module.schedule({ tasks })
console.log(`scheduled ${scheduled.length}`)
await tasker.start()
const all = await tasker.findTasks({ operation: 'wrap', 'data.uri': uri }, { sort: { seq: 1 } })
const taskIds = all.map(({ seq }) => seq)
for (const { taskId, result, error } of await module.result({
  taskIds,
  returnWhen: ReturnWhen.ALL_COMPLETED,
})) {
  console.log(`${taskId}: ${result ? decode(result) : error}`)
}
await tasker.close()
