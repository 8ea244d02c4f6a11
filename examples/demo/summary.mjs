// What the store knows at the end: everything here is asked of it, nothing was kept aside.

import { Tasker } from '../../index.mjs'
import { count, say, size, table } from './screen.mjs'

/** Prints totals, the biggest and slowest files and the extensions. */
export async function printSummary(store, ms) {
  const tasker = new Tasker({ store })
  const [done, failed] = await Promise.all([
    tasker.countTasks({ status: 'done' }),
    tasker.countTasks({ status: 'failed' }),
  ])
  const tasks = await tasker.findTasks({ status: 'done' })
  const bytes = sum(tasks, 'bytes')
  const pace = `${count(done / (ms / 1000))} tasks/s with everything`
  say(`\n${count(done)} files, ${size(bytes)}, ${count(sum(tasks, 'lines'))} lines, \
${count(sum(tasks, 'words'))} words, ${failed} failed`)
  say(`${(ms / 1000).toFixed(1)} s, ${pace}`)
  await printTop(tasker, 'Biggest', 'result.bytes', ({ bytes }) => size(bytes))
  await printTop(tasker, 'Slowest', 'result.ms', ({ ms }) => `${ms.toFixed(1)} ms`)
  printExtensions(tasks)
  await tasker.close()
}

const sum = (tasks, key) => tasks.reduce((all, { result }) => all + (result[key] ?? 0), 0)

async function printTop(tasker, title, path, show) {
  const tasks = await tasker.findTasks({ status: 'done' }, { sort: { [path]: -1 }, limit: 3 })
  const rows = tasks.map(({ data, result }) => [show(result), data.path])
  table(title, rows)
}

function printExtensions(tasks) {
  const groups = new Map()
  for (const { data, result } of tasks) {
    const group = groups.get(data.extension) ?? { files: 0, bytes: 0, lines: 0 }
    group.files++
    group.bytes += result.bytes
    group.lines += result.lines ?? 0
    groups.set(data.extension, group)
  }
  const top = [...groups].sort(([, a], [, b]) => b.files - a.files).slice(0, 6)
  const row = ([name, { files, bytes, lines }]) => [
    name,
    `${count(files)} files`,
    size(bytes),
    `${count(lines)} lines`,
  ]
  table('By extension', top.map(row))
}
