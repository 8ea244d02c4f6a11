// Many tenants share the workers, and none takes all of them.
//
//   npx tsx per-tenant-limits.mts [store]
//
// Each tenant may have two tasks at once, whatever the others do and however many it has added. The
// limit is said once, for the operation; it is stored, and holds over all processes on the file.

import { setTimeout as sleep } from 'node:timers/promises'
import { Tasker } from 'tasker'

interface Operations {
  render: { data: { tenant: string; page: number } }
}

const [store = 'tenants.db'] = process.argv.slice(2)
const AT_ONCE = 2
const TASKS = { ada: 30, bob: 3, eve: 3 }

const tasker = new Tasker<Operations>({ store, concurrency: 8 })
await tasker.defineOperation('render', {
  conditions: [
    {
      scope: 'running',
      query: { operation: 'render', 'data.tenant': { $task: 'data.tenant' } },
      limit: AT_ONCE - 1, // so many others
    },
  ],
})

const now = new Map<string, number>()
const most = new Map<string, number>()
tasker.assignRunner('render', async ({ data: { tenant } }) => {
  const count = (now.get(tenant) ?? 0) + 1
  now.set(tenant, count)
  most.set(tenant, Math.max(most.get(tenant) ?? 0, count))
  await sleep(20) // Your own work goes here.
  now.set(tenant, (now.get(tenant) ?? 0) - 1)
})

// Ada comes first and adds ten times as much.
const uuids: string[] = []
const order: string[] = []
tasker.on('task.done', uuid => order.push(uuid))
for (const [tenant, count] of Object.entries(TASKS)) {
  const pages = Array.from({ length: count }, (_, page) => page)
  const tasks = pages.map(page => ({ operation: 'render' as const, data: { tenant, page } }))
  uuids.push(...(await tasker.addTasks(tasks)))
}
await tasker.start()
await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))

for (const [tenant, tasks] of Object.entries(TASKS)) {
  console.log(`${tenant}: ${tasks} tasks, ${most.get(tenant)} at once`)
}
const small = uuids.slice(TASKS.ada)
const isLast = small.some(uuid => order.indexOf(uuid) >= uuids.length - 2)
console.log(isLast ? 'the others waited for ada' : 'nobody waited for ada')
await tasker.close()
