// Which runs were live at the same time, from the marks of all processes in one file: a line for
// each begin (`+`) and end (`-`) of a run, and for each process that is about to be killed (`x`).

import { appendFileSync, openSync, readFileSync, writeSync } from 'node:fs'

/** Notes a run's begin and end; nothing without a file. */
export function marker(file) {
  if (!file) return () => {}
  const marks = openSync(file, 'a')
  return (sign, { uuid, operation }) =>
    writeSync(marks, `${sign} ${process.pid} ${uuid} ${operation}\n`)
}

/** Notes that a process dies now: from here on its runs are not live. */
export const markDeath = (file, pid) => appendFileSync(file, `x ${pid}\n`)

/** What the marks of a file say. */
export const judgeFile = file => judge(readFileSync(file, 'utf8'))

/** Tasks with two live runs at once, and how many runs of `limited` were live at most. */
export function judge(text) {
  const live = new Map()
  const dead = new Set()
  const found = { runs: 0, twice: [], limitedMax: 0 }
  for (const line of text.split('\n').slice(0, -1)) {
    const [sign, pid, uuid, operation] = line.split(' ')
    if (dead.has(pid)) continue
    if (sign === '-') live.delete(uuid)
    if (sign === '+') {
      if (live.has(uuid)) found.twice.push(uuid)
      live.set(uuid, { pid, operation })
      found.runs += 1
    }
    if (sign === 'x') {
      dead.add(pid)
      for (const [uuid, run] of live) if (run.pid === pid) live.delete(uuid)
    }
    const limited = [...live.values()].filter(run => run.operation === 'limited')
    found.limitedMax = Math.max(found.limitedMax, limited.length)
  }
  return found
}
