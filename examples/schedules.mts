// A report each second, five times in all, also if the program is killed and started again.
//
//   npx tsx schedules.mts [store]
//
// The schedule lies in the file: a program that starts says the same of it again, and it goes on
// where it was. What falls due while no process runs comes once, late (`missed: 'once'`).

import { Tasker } from 'tasker'

interface Operations {
  report: { data: { of: string }; result: string }
}

const [store = 'schedules.db'] = process.argv.slice(2)

const tasker = new Tasker<Operations>({ store })
tasker.assignRunner('report', ({ data, scheduledAt }) => {
  return `${data.of} as of ${scheduledAt?.toISOString()}` // Your own work goes here.
})
tasker.on('task.done', async (_uuid, result) => {
  console.log(result)
  const [reports] = await tasker.findSchedules({ id: 'reports' })
  if (reports?.nextAt) return
  console.log(`over after ${reports?.made} reports`)
  await tasker.close()
})
await tasker.start()

const isNew = await tasker.addSchedule({
  id: 'reports',
  every: '1s', // Or cron: '0 9 * * MON-FRI', timezone: 'Europe/Berlin'.
  limit: 5,
  task: { operation: 'report', data: { of: 'sales' }, retry: 3 },
})
console.log(isNew ? 'the schedule is new' : 'the schedule goes on')
